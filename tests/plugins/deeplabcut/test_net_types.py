"""The configs of net types are DeepLabCut's, key for key."""

from dataclasses import replace

import pytest

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut import net_types
from dlcore_plugins.deeplabcut.net_types import ResNet50
from tests.plugins.deeplabcut.measuring import measure
from tests.plugins.deeplabcut.reference import TASK, TASKS, reference_config, without_null

NET_TYPES = {
    cls.spec.name: cls
    for cls in (
        net_types.ResNet50,
        net_types.ResNet101,
        net_types.HRNetW18,
        net_types.HRNetW32,
        net_types.HRNetW48,
        net_types.CSPNeXtS,
        net_types.CSPNeXtM,
        net_types.CSPNeXtX,
    )
}
LIMBS_ONLY = {cls.spec.name: cls for cls in (net_types.DLCRNetStride16, net_types.DLCRNetStride32)}
ALL = NET_TYPES | LIMBS_ONLY


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in TASKS for n in ALL if k != "single" or n not in LIMBS_ONLY],
)
def test_a_config_is_the_reference(kind, name, shared):
    reference = reference_config(shared, kind, name)
    if name in LIMBS_ONLY:  # leaves to the defaults what the others write
        reference["model"].pop("pose_model")
        reference["model"]["heads"]["bodypart"]["predictor"]["apply_sigmoid"] = True

    config = without_null(ALL[name]().config(TASKS[kind]))

    assert config["net_type"] == reference["net_type"] == name
    assert config["method"] == reference["method"]
    assert config["model"] == reference["model"]
    assert config["data"]["train"] == reference["data"]["train"]
    assert config["data"]["inference"] == reference["data"]["inference"]
    for key, value in config["runner"].items():
        assert value == reference["runner"][key]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["single", "multi_identity_unique"])
def test_net_types_keep_the_contract(kind, name):
    if name not in LIMBS_ONLY or kind != "single":
        check_net_type(ALL[name](), TASKS[kind])


@pytest.mark.parametrize("name", LIMBS_ONLY)
def test_one_individual_needs_no_limbs(name):
    with pytest.raises(DlcoreError, match=rf"{name}.*there is one; choose another"):
        LIMBS_ONLY[name]().config(TASK)


def test_individuals_of_one_keypoint_are_refused_with_a_way_out():
    task = PoseTask(("body",), individuals=("x", "y"))

    with pytest.raises(DlcoreError, match=r"one keypoint has none; choose .*'dekr_w18'"):
        ResNet50().config(task)


def test_every_call_gives_its_own_config():
    first = ResNet50().config(TASK)
    first["model"]["heads"]["bodypart"]["heatmap_config"]["strides"].append(2)
    first["model"]["backbone"]["output_stride"] = 8
    first["runner"]["scheduler"]["params"]["milestones"].append(150)

    again = ResNet50().config(TASK)

    assert again["model"]["heads"]["bodypart"]["heatmap_config"]["strides"] == [2]
    assert again["model"]["backbone"]["output_stride"] == 16
    assert again["runner"]["scheduler"]["params"]["milestones"] == [90, 120]


@pytest.mark.parametrize("name", ALL)
def test_size_cost_and_stride_are_those_of_the_network(name, host, tmp_path):
    net_type = ALL[name]
    task = replace(TASK, individuals=("mouse1", "mouse2")) if name in LIMBS_ONLY else TASK

    measured = measure(net_type().config(task), task, host, tmp_path)

    assert net_type.parameters == pytest.approx(measured.parameters, abs=0.051)
    assert net_type.gflops == pytest.approx(measured.gflops, abs=0.051)
    assert net_type.stride == measured.stride
