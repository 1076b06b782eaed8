"""The configs of the top-down net types are DeepLabCut's; crops have the size of the model."""

from dataclasses import replace

import pytest

from dlcore import DlcoreError
from dlcore.config.loading import load_config
from dlcore.engine.template import config_text, new_config
from dlcore.interfaces import NetType
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut import top_down
from tests.plugins.deeplabcut.measuring import measure
from tests.plugins.deeplabcut.reference import TASK, TASKS, reference_config, without_null

NET_TYPES = {
    cls.name: cls
    for cls in vars(top_down).values()
    if isinstance(cls, type) and issubclass(cls, NetType) and hasattr(cls, "parameters")
}


def written(net_type, kind):
    """A whole config, as `dlcore init` writes it."""
    architecture = net_type().config(TASKS[kind])
    return without_null(
        new_config(architecture, TASKS[kind], project_path="", config_path="", dataset=None)
    )


def test_there_is_one_for_each_backbone_and_crop_network_of_deeplabcut(host, shared):
    names = {p.stem for p in (shared / "peer" / "configs" / "multi").glob("top_down_*.yaml")}
    names |= {"rtmpose_s", "rtmpose_m", "rtmpose_x", "animaltokenpose_base"}

    assert set(NET_TYPES) == {name for name in names if "__" not in name}
    for name, cls in NET_TYPES.items():
        assert host.find("net_types", name).component.load() is cls


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("name", NET_TYPES)
def test_a_config_is_the_reference(name, kind, shared):
    reference = reference_config(shared, kind, name)
    if name == "rtmpose_x":  # DeepLabCut's file has crops that its model cannot take
        for section in ("train", "inference"):
            reference["data"][section]["top_down_crop"] = {"width": 384, "height": 384}

    config = written(NET_TYPES[name], kind)

    assert config["net_type"] == reference["net_type"]
    assert config["method"] == reference["method"] == "td"
    for key in ("model", "data", "train_settings"):
        assert config[key] == reference[key], key
    without_device(reference["runner"])
    assert config["runner"] == reference["runner"]


@pytest.mark.parametrize("name", NET_TYPES)
def test_the_detector_is_the_reference(name, shared):
    reference = reference_config(shared, "multi", name)["detector"]

    detector = written(NET_TYPES[name], "multi")["detector"]

    without_device(reference)
    without_device(reference["runner"])
    reference.pop("inference")  # only that of the pose model counts
    reference["train_settings"].pop("seed")
    assert detector == reference


def without_device(section):
    """Leave out a key that has no effect here."""
    assert section.pop("device") == "auto"


@pytest.mark.parametrize("name", NET_TYPES)
def test_net_types_keep_the_contract(name):
    check_net_type(NET_TYPES[name](), TASKS["multi"])


@pytest.mark.parametrize("name", ["top_down_hrnet_w18", "rtmpose_s", "animaltokenpose_base"])
def test_unique_bodyparts_are_refused_with_a_way_out(name):
    match = rf"'{name}' .* finds no unique bodyparts \(lamp, door\); choose .*'dekr_w18'"
    with pytest.raises(DlcoreError, match=match):
        NET_TYPES[name]().config(TASKS["multi_unique"])


def test_identities_are_refused_with_a_way_out():
    net_type = NET_TYPES["top_down_resnet_50"]()

    with pytest.raises(DlcoreError, match=r"which of the 3 it is; .*identity: false"):
        net_type.config(TASKS["multi_identity"])
    assert net_type.config(replace(TASK, with_identity=True)) == net_type.config(TASK)


@pytest.mark.parametrize(
    "name", [name for name in NET_TYPES if not name.endswith(("_101", "_w48", "_m"))]
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
