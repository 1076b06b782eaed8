"""Each net type: from labelled data to a config, a training step and poses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcore import DlcoreError
from dlcore.building import build
from dlcore.cli.main import main
from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model, input_size_of
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision
from dlcore.interfaces import DatasetContext, PoseTask
from dlcore.testing import check_net_type, fake_batch
from dlcore_plugins.timm_backbones.net_types import (
    ConvNeXtT,
    DinoV2S,
    LightEfficientNet,
    SimCCDinoV2S,
)
from tests.plugins.coco import files as coco
from tests.plugins.deeplabcut import projects

BOTTOM_UP = {net.name: net for net in (LightEfficientNet, ConvNeXtT, DinoV2S)}
SMALLER = {
    # the same maps from far fewer weights
    "convnext_t": {"model_name": "convnext_atto"},
    "dinov2_s": {"model_name": "test_vit"},
    "simcc_dinov2_s": {"model_name": "test_vit"},
    "light_efficientnet": {},
}
EVERYTHING = PoseTask(
    ("nose", "neck", "tail"), ("corner",), ("one", "two"), with_identity=True, skeleton=((0, 1),)
)


def coco_for_one(folder: Path) -> Path:
    return coco.write_dataset(folder)


def coco_for_two(folder: Path) -> Path:
    people = [coco.person(i, 10 * i + k, x=10 + 20 * k) for i in (1, 2) for k in (0, 1)]
    return coco.write_dataset(folder, train=coco.content(annotations=people))


def project_for_one(folder: Path) -> Path:
    projects.write_project(folder)
    return folder


def project_with_everything(folder: Path) -> Path:
    frame = projects.label_frame(("ann", "bob"), ("corner",))
    projects.write_project(
        folder, frame, **projects.multi_config(("ann", "bob"), ("corner",)), identity=True
    )
    return folder


def project_for_two(folder: Path) -> Path:
    frame = projects.label_frame(("ann", "bob"))
    projects.write_project(folder, frame, **projects.multi_config(("ann", "bob")))
    return folder


BOTH = (coco_for_one, coco_for_two, project_for_one)
CASES = [
    *((name, source) for name in BOTTOM_UP for source in (*BOTH, project_with_everything)),
    *(("simcc_dinov2_s", source) for source in (*BOTH, project_for_two)),
]


@pytest.mark.parametrize(("name", "source"), CASES)
def test_from_data_to_a_config_a_step_and_poses(name, source, host, tmp_path, capsys):
    data = source(tmp_path / "data")
    path = tmp_path / "run" / "pytorch_config.yaml"
    assert main(["init", str(data), "--net-type", name, "--output", str(path.parent)]) == 0

    smaller = [f"model.backbone.{key}={value}" for key, value in SMALLER[name].items()]
    config = load_config(path, host, smaller).config
    task = build(host, "datasets", config.dataset, DatasetContext(), key="dataset").task
    model = build_model(host, config, task, fresh=False)
    losses, found = step_and_poses(model, config, task)

    several = source in (coco_for_two, project_for_two, project_with_everything)
    everything = {"bodypart", "unique_bodypart", "identity"}
    assert task.num_individuals == (2 if several else 1)
    assert set(found) == (everything if source is project_with_everything else {"bodypart"})
    assert torch.isfinite(losses["total_loss"])
    individuals = 2 if several and config.method == "bu" else 1
    poses = found["bodypart"]["poses"]
    assert poses.shape[:3] == (2, individuals, task.num_keypoints)


def step_and_poses(model, config, task):
    """The losses of a step of training, and what is found afterwards."""
    seen = task if config.method == "bu" else PoseTask(task.keypoints)
    batch = fake_batch(seen, input_size_of(model) or (64, 64), normalised=True)
    runner = PoseTrainingRunner(model, task, Precision("fp32", "cpu").autocast)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    model.train()
    runner.check_targets(batch)
    losses = runner.losses(batch)
    losses["total_loss"].backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    optimizer.step()
    with torch.no_grad():
        return losses, model.eval().predict(model(batch.images))


@pytest.mark.parametrize("net_type", BOTTOM_UP.values())
@pytest.mark.parametrize("task", [PoseTask(("nose",)), EVERYTHING])
def test_keeps_the_net_type_contract(net_type, task):
    check_net_type(net_type(), task)


def test_the_top_down_one_keeps_the_net_type_contract():
    check_net_type(SimCCDinoV2S(), PoseTask(("nose", "neck"), individuals=("one", "two")))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (PoseTask(("nose",), ("corner",)), r"unique bodyparts \(corner\); choose a bottom-up"),
        (PoseTask(("nose",), (), ("a", "b"), with_identity=True), "does not find who is who"),
        (EVERYTHING, r"unique bodyparts \(corner\) or who is who"),
    ],
)
def test_a_crop_lacks_what_belongs_to_the_image(task, says):
    with pytest.raises(DlcoreError, match=says):
        SimCCDinoV2S().config(task)


def test_one_individual_with_identity_needs_no_head_for_it():
    config = LightEfficientNet().config(PoseTask(("nose",), with_identity=True))

    assert set(config["model"]["heads"]) == {"bodypart"}


def test_heads_of_one_layer_start_small_and_deeper_ones_do_not():
    """Small weights behind small weights hardly learn."""
    heads = [net().config(EVERYTHING)["model"]["heads"] for net in (ConvNeXtT, DinoV2S)]

    assert [head.get("weight_init") for head in heads[0].values()] == ["normal"] * 3
    assert [head.get("weight_init") for head in heads[1].values()] == [None] * 3


@pytest.mark.parametrize("net_type", BOTTOM_UP.values())
def test_several_individuals_need_two_keypoints(net_type):
    with pytest.raises(DlcoreError, match="one keypoint has none"):
        net_type().config(PoseTask(("nose",), individuals=("a", "b")))


@pytest.mark.parametrize(
    "model_name", ["swin_tiny_patch4_window7_224", "tf_efficientnet_lite0", "resnet18"]
)
def test_the_pyramid_takes_other_networks_in_place_of_the_convnext(model_name, host, tmp_path):
    source = coco_for_two(tmp_path / "data")
    run = tmp_path / "run"
    assert main(["init", str(source), "--net-type", "convnext_t", "--output", str(run)]) == 0
    indices = "[1,2,3,4]" if model_name != "swin_tiny_patch4_window7_224" else "[0,1,2,3]"
    chosen = [f"model.backbone.model_name={model_name}", f"model.backbone.out_indices={indices}"]

    config = load_config(run / "pytorch_config.yaml", host, chosen).config
    task = build(host, "datasets", config.dataset, DatasetContext(), key="dataset").task
    with torch.device("meta"):
        model = build_model(host, config, task, fresh=False)
        outputs = model(torch.zeros(1, 3, 64, 96))["bodypart"]

    assert model.strides["bodypart"] == 4
    assert outputs["heatmap"].shape == (1, 3, 16, 24)
