"""Compiling is tried; where it fails, training goes on and says why."""

import logging
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from dlcore.engine.compilation import compile_forward
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.interfaces import Batch


class Sum(PoseTrainingRunner):
    def losses(self, batch):
        return {"total_loss": self.forward(batch.images).sum()}


class Convolution(nn.Conv2d):
    def forward(self, images, conditions=None):
        return super().forward(images)


@pytest.fixture
def runner():
    return Sum(Convolution(3, 1, 1), None, None)


@pytest.fixture
def batch():
    return Batch(torch.randn(1, 3, 4, 4), None, None, None)


def test_a_model_that_compiles_keeps_the_names_of_its_weights(runner, batch, monkeypatch):
    names = set(runner.model.state_dict())
    compiled = []

    def compile_(model):
        compiled.append(model)
        return lambda images, conditions: model(images) * 2

    monkeypatch.setattr(torch, "compile", compile_)
    compile_forward(runner, batch)

    assert compiled == [runner.model]
    assert torch.equal(runner.forward(batch.images), runner.model(batch.images) * 2)
    assert set(runner.model.state_dict()) == names


def test_a_model_that_does_not_compile_runs_as_it_is(runner, batch, monkeypatch, caplog):
    def fail(model):
        def forward(images, conditions):
            raise RuntimeError("no compiler\nand a long story")

        return forward

    monkeypatch.setattr(torch, "compile", fail)
    with caplog.at_level(logging.WARNING, "dlcore"):
        compile_forward(runner, batch)

    assert runner.forward is runner.model
    assert "runs as it is: no compiler" in caplog.text
    assert "long story" not in caplog.text


def test_only_training_steps_use_the_compiled_model(runner, batch, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: lambda images, _: model(images) * 2)
    compile_forward(runner, batch)
    plain = runner.model(batch.images)
    monkeypatch.setattr(runner, "autocast", nullcontext)
    monkeypatch.setattr(runner.model, "forward", lambda images, _: {"bodypart": {"heatmap": plain}})

    assert torch.equal(runner.outputs(batch)["bodypart"]["heatmap"], plain)


def test_a_smaller_last_batch_does_not_compile_anew(runner, monkeypatch):
    graphs = []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compile_(model, backend=count))
    compile_forward(runner, Batch(torch.randn(4, 3, 4, 4), None, None, None))

    runner.model.train()
    assert runner.forward(torch.randn(3, 3, 4, 4)).shape == (3, 1, 4, 4)
    assert len(graphs) == 1


def test_the_log_says_how_long_it_took(runner, batch, monkeypatch, caplog):
    monkeypatch.setattr(torch, "compile", lambda model: lambda images, _: model(images))
    with caplog.at_level(logging.INFO, "dlcore"):
        compile_forward(runner, batch)

    assert "compiling the model; this may take minutes" in caplog.text
    assert "compiled the model in 0 s" in caplog.text
