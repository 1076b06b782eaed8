"""Freezing: what keeps still for how long."""

import pytest
import torch

from dlcore.interfaces import RunStart
from dlcore.testing import FakeRun
from dlcore_plugins.callbacks.freeze_backbone import FreezeBackbone


def moved(run, before):
    """Names of the weights and statistics that differ from those before."""
    now = run.model.state_dict()
    return {name for name in now if not torch.equal(now[name], before[name])}


def state(run):
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def test_weights_and_statistics_of_the_backbone_keep_still_until_their_epoch(tmp_path):
    run, callback = FakeRun(tmp_path, epochs=3), FreezeBackbone(epochs=2)
    before = state(run)
    run.play(callback, 2)
    assert moved(run, before) == {"head.weight", "head.bias"}

    before = state(run)
    run.play(callback, 1)
    assert moved(run, before) == before.keys()
    assert all(parameter.requires_grad for parameter in run.model.parameters())


def test_statistics_can_be_left_alone(tmp_path):
    run = FakeRun(tmp_path)
    before = state(run)
    run.play(FreezeBackbone(epochs=1, freeze_statistics=False), 1)
    assert "backbone.1.running_mean" in moved(run, before)
    assert "backbone.1.weight" not in moved(run, before)


def test_what_was_frozen_before_stays_frozen(tmp_path):
    run = FakeRun(tmp_path, epochs=2)
    run.model.backbone[1].weight.requires_grad_(False)
    run.play(FreezeBackbone(epochs=1))
    assert not run.model.backbone[1].weight.requires_grad
    assert run.model.backbone[1].bias.requires_grad


def test_parts_are_found_in_a_model_within_the_model(tmp_path):
    run = FakeRun(tmp_path)
    inner, run.model = run.model, torch.nn.Module()
    run.model.model = inner
    FreezeBackbone(epochs=1).on_run_start(run, RunStart(0))
    assert not inner.backbone[0].weight.requires_grad
    assert inner.head.weight.requires_grad


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        (["neck"], "the model has no part 'neck'; it has backbone, head"),
        (["backbone", "head"], "nothing would be left to train"),
    ],
)
def test_parts_that_cannot_be_frozen_are_refused(tmp_path, modules, words):
    run = FakeRun(tmp_path)
    with pytest.raises(ValueError, match=words):
        FreezeBackbone(epochs=1, modules=modules).on_run_start(run, RunStart(0))
    assert all(parameter.requires_grad for parameter in run.model.parameters())
