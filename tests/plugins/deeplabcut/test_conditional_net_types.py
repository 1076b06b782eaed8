"""The configs of the conditional net types are DeepLabCut's, but for what its crops get wrong."""

from dataclasses import replace

import pytest

from dlcore import DlcoreError
from dlcore.config.loading import load_config
from dlcore.engine.template import config_text, new_config
from dlcore.interfaces import NetType
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut import conditional_net_types
from tests.plugins.deeplabcut.measuring import measure
from tests.plugins.deeplabcut.reference import TASK, TASKS, reference_config, without_null

NET_TYPES = {
    cls.name: cls
    for cls in vars(conditional_net_types).values()
    if isinstance(cls, type) and issubclass(cls, NetType) and hasattr(cls, "parameters")
}
PEOPLE = {name for name in NET_TYPES if name.endswith("_human")}
CROPS = dict.fromkeys(PEOPLE, (288, 384)) | {"ctd_prenet_rtmpose_x": (384, 384)}
CROWDPOSE = replace(TASK, keypoints=tuple(f"k{i}" for i in range(14)))


def test_there_is_one_for_each_of_deeplabcut(host, shared):
    names = {p.stem for p in (shared / "peer" / "configs" / "multi").glob("ctd_*.yaml")}

    assert set(NET_TYPES) == {name for name in names if "__" not in name}
    for name, cls in NET_TYPES.items():
        assert host.find("net_types", name).component.load() is cls


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("name", NET_TYPES)
def test_a_config_is_the_reference(name, kind, shared):
    reference = reference_config(shared, kind, name)
    assert reference["runner"].pop("device") == "auto"
    for section in ("train", "inference"):
        width, height = CROPS.get(name, (256, 256))
        reference["data"][section]["top_down_crop"] |= {"width": width, "height": height}
    if "rtmpose" in name:  # leaves to the defaults what the others write
        reference["model"]["heads"]["bodypart"]["predictor"]["apply_softmax"] = True
    architecture = NET_TYPES[name]().config(TASKS[kind])
    if "prenet" in name:  # DeepLabCut leaves the batch-norm layers of its new layers fixed
        for option in ("freeze_bn_stats", "freeze_bn_weights"):
            assert architecture["model"]["backbone"][option] is False
    if name in PEOPLE:  # six keypoints have no sigmas of CrowdPose
        reference["data"].pop("gen_sampling")
        del architecture["data"]["gen_sampling"]

    config = without_null(
        new_config(architecture, TASKS[kind], project_path="", config_path="", dataset=None)
    )

    assert config["net_type"] == reference["net_type"] == name
    assert config["method"] == reference["method"] == "ctd"
    for key in ("model", "data", "runner", "train_settings"):
        assert config[key] == reference[key], key
    assert "detector" not in config


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_errors_are_those_of_crowdpose_where_the_keypoints_are(name, shared):
    reference = reference_config(shared, "multi", name)["data"]["gen_sampling"]

    assert NET_TYPES[name]().config(CROWDPOSE)["data"]["gen_sampling"] == reference
    others = NET_TYPES[name]().config(TASK)["data"]["gen_sampling"]
    assert others == NET_TYPES["ctd_coam_w32"]().config(TASK)["data"]["gen_sampling"]


def test_the_place_for_conditions_is_written():
    for net_type in NET_TYPES.values():
        assert net_type().config(TASK)["inference"] == {"conditions": None}


@pytest.mark.parametrize("name", NET_TYPES)
def test_net_types_keep_the_contract(name):
    check_net_type(NET_TYPES[name](), TASKS["multi"])


@pytest.mark.parametrize("kind", ["multi_unique", "multi_identity"])
def test_what_one_crop_cannot_tell_is_refused(kind):
    with pytest.raises(DlcoreError, match=r"'ctd_coam_w32' looks at one .*'dekr_w18'"):
        NET_TYPES["ctd_coam_w32"]().config(TASKS[kind])


@pytest.mark.parametrize(
    "name", [name for name in NET_TYPES if not name.endswith(("_w48", "_m", "_x"))]
)
def test_size_cost_and_stride_are_those_of_the_network(name, host, tmp_path):
    net_type = NET_TYPES[name]

    measured = measure(net_type().config(TASK), TASK, host, tmp_path)

    assert net_type.parameters == pytest.approx(measured.parameters, abs=0.051)
    assert net_type.gflops == pytest.approx(measured.gflops, abs=0.051)
    assert net_type.stride == measured.stride


@pytest.mark.parametrize("name", NET_TYPES)
def test_a_written_config_passes_all_checks(name, host, tmp_path):
    values = new_config(
        NET_TYPES[name]().config(TASK), TASK, project_path="", config_path="", dataset=None
    )
    path = tmp_path / "pytorch_config.yaml"
    path.write_text(config_text(values, ""), encoding="utf-8")

    loaded = load_config(path, host)

    assert loaded.notices == []
    assert loaded.values == values
