"""The configs of the DEKR net types are DeepLabCut's, key for key."""

import pytest
import yaml

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut.dekr_net_types import DekrW18, DekrW32, DekrW48

NET_TYPES = {"dekr_w18": DekrW18, "dekr_w32": DekrW32, "dekr_w48": DekrW48}
KINDS = ["single", "multi", "multi_identity", "multi_unique", "multi_identity_unique"]


def task_of(metadata):
    return PoseTask(
        tuple(metadata["bodyparts"]),
        tuple(metadata["unique_bodyparts"]),
        tuple(metadata["individuals"]),
        with_identity=bool(metadata.get("with_identity")),
    )


def without_null(value):
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None and v is not False}
    return value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NET_TYPES)
def test_the_config_is_the_reference(name, kind, shared):
    path = shared / "peer" / "configs" / kind / f"{name}.yaml"
    text = path.read_text(encoding="utf-8").replace("1e-05", "1.0e-05")
    reference = without_null(yaml.safe_load(text))

    config = without_null(NET_TYPES[name]().config(task_of(reference["metadata"])))

    for key in ("net_type", "method", "model", "with_center_keypoints"):
        assert config[key] == reference[key], key
    assert config["data"]["train"] == reference["data"]["train"]
    assert config["data"]["inference"] == reference["data"]["inference"]
    for key in ("optimizer", "scheduler"):
        assert config["runner"][key] == reference["runner"][key]


@pytest.mark.parametrize("name", NET_TYPES)
def test_keeps_the_contract(name):
    task = PoseTask(("a", "b"), ("lamp",), ("x", "y"), with_identity=True)

    check_net_type(NET_TYPES[name](), task)


@pytest.mark.parametrize("name", ["dekr_w18", "dekr_w32"])
def test_size_and_stride_are_those_of_the_network(name, host, tmp_path):
    task = PoseTask(tuple("abcdef"), individuals=("x", "y"))
    net_type = NET_TYPES[name]()
    config = net_type.config(task)
    config["metadata"] = {"bodyparts": list(task.keypoints), "individuals": list(task.individuals)}
    config["train_settings"] = {"epochs": 1}
    path = tmp_path / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    model = build_model(host, load_config(path, host).config, task, fresh=False)

    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert net_type.parameters == pytest.approx(millions, abs=0.05)
    assert net_type.stride == model.strides["bodypart"]
