"""The configs of net types are DeepLabCut's, key for key."""

import pytest
import yaml

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut.net_types import ResNet50, ResNet101

NET_TYPES = {"resnet_50": ResNet50, "resnet_101": ResNet101}
TASK = PoseTask(("snout", "leftear", "rightear", "shoulder", "spine", "tailbase"))


def without_null(value):
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None and v is not False}
    return value


@pytest.mark.parametrize("name", NET_TYPES)
def test_a_single_animal_config_is_the_reference(name, shared):
    path = shared / "peer" / "configs" / "single" / f"{name}.yaml"
    text = path.read_text(encoding="utf-8").replace("1e-05", "1.0e-05")
    reference = without_null(yaml.safe_load(text))

    config = without_null(NET_TYPES[name]().config(TASK))

    assert config["net_type"] == reference["net_type"] == name
    assert config["method"] == reference["method"]
    assert config["model"] == reference["model"]
    assert config["data"]["train"] == reference["data"]["train"]
    assert config["data"]["inference"] == reference["data"]["inference"]
    for key in ("optimizer", "scheduler"):
        assert config["runner"][key] == reference["runner"][key]


def test_unique_bodyparts_get_the_references_head(shared):
    path = shared / "peer" / "configs" / "multi_unique" / "resnet_50.yaml"
    reference = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["heads"]

    config = ResNet50().config(PoseTask(("a",), ("lamp", "door")))

    assert config["model"]["heads"]["unique_bodypart"] == reference["unique_bodypart"]


@pytest.mark.parametrize("name", NET_TYPES)
def test_net_types_keep_the_contract(name):
    check_net_type(NET_TYPES[name](), TASK)


@pytest.mark.parametrize("name", NET_TYPES)
def test_several_individuals_are_refused_for_want_of_a_head(name):
    with pytest.raises(DlcoreError, match=rf"{name}.*3 individuals.*part affinity fields"):
        NET_TYPES[name]().config(PoseTask(("a",), individuals=("x", "y", "z")))


def test_every_call_gives_its_own_config():
    first = ResNet50().config(TASK)
    first["model"]["heads"]["bodypart"]["heatmap_config"]["strides"].append(2)

    assert ResNet50().config(TASK)["model"]["heads"]["bodypart"]["heatmap_config"]["strides"] == [2]


@pytest.mark.parametrize("name", NET_TYPES)
def test_size_and_cost_are_those_of_the_network(name):
    timm = pytest.importorskip("timm")
    model_name = NET_TYPES[name].model_name

    network = timm.create_model(model_name, output_stride=16, num_classes=0)

    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert NET_TYPES[name].parameters == pytest.approx(millions, abs=0.05)
