"""Compiling is tried; where it fails, training goes on and says why."""

import logging

import pytest
import torch
from torch import nn

from dlcore.engine.compilation import compile_forward
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.interfaces import Batch


class Sum(PoseTrainingRunner):
    def losses(self, batch):
        return {"total_loss": self.forward(batch.images).sum()}


@pytest.fixture
def runner():
    return Sum(nn.Conv2d(3, 1, 1), None, None)


@pytest.fixture
def batch():
    return Batch(torch.randn(1, 3, 4, 4), None, None, None)


def test_a_model_that_compiles_keeps_the_names_of_its_weights(runner, batch, monkeypatch):
    names = set(runner.model.state_dict())
    compiled = []

    def compile_(model):
        compiled.append(model)
        return lambda images: model(images) * 2

    monkeypatch.setattr(torch, "compile", compile_)
    compile_forward(runner, batch)

    assert compiled == [runner.model]
    assert torch.equal(runner.forward(batch.images), runner.model(batch.images) * 2)
    assert set(runner.model.state_dict()) == names


def test_a_model_that_does_not_compile_runs_as_it_is(runner, batch, monkeypatch, caplog):
    def fail(model):
        def forward(images):
            raise RuntimeError("no compiler\nand a long story")

        return forward

    monkeypatch.setattr(torch, "compile", fail)
    with caplog.at_level(logging.WARNING, "dlcore"):
        compile_forward(runner, batch)

    assert runner.forward is runner.model
    assert "runs as it is: no compiler" in caplog.text
    assert "long story" not in caplog.text
