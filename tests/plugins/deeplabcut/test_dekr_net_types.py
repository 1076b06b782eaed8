"""The configs of the DEKR net types are DeepLabCut's, key for key."""

import pytest

from dlcore.interfaces import PoseTask
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut.dekr_net_types import DekrW18, DekrW32, DekrW48
from tests.plugins.deeplabcut.measuring import measure
from tests.plugins.deeplabcut.reference import TASK, TASKS, reference_config, without_null

NET_TYPES = {"dekr_w18": DekrW18, "dekr_w32": DekrW32, "dekr_w48": DekrW48}


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", NET_TYPES)
def test_the_config_is_the_reference(name, kind, shared):
    reference = reference_config(shared, kind, name)

    config = without_null(NET_TYPES[name]().config(TASKS[kind]))

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


@pytest.mark.parametrize("name", NET_TYPES)
def test_size_cost_and_stride_are_those_of_the_network(name, host, tmp_path):
    net_type = NET_TYPES[name]

    measured = measure(net_type().config(TASK), TASK, host, tmp_path)

    assert net_type.parameters == pytest.approx(measured.parameters, abs=0.051)
    assert net_type.gflops == pytest.approx(measured.gflops, abs=0.051)
    assert net_type.stride == measured.stride
