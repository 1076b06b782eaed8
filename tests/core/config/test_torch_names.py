from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import torch

from dlcore.config import torch_names


def test_every_optimizer_and_scheduler_of_torch_is_known():
    optimizers = {
        name for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    } - {"Optimizer"}  # fmt: skip
    assert set(torch_names.optimizer_names()) == optimizers
    base = torch.optim.lr_scheduler.LRScheduler
    schedulers = {
        name for name, value in vars(torch.optim.lr_scheduler).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
        and not name.startswith("_")
    }  # fmt: skip
    assert set(torch_names.scheduler_names()) == schedulers


@pytest.mark.parametrize("name", torch_names.optimizer_names())
def test_options_of_optimizers_are_their_parameters(name):
    parameters = list(inspect.signature(getattr(torch.optim, name)).parameters)
    assert list(torch_names.optimizer_options(name).options) == parameters[1:]


@pytest.mark.parametrize("name", torch_names.scheduler_names())
def test_options_of_schedulers_are_their_parameters(name):
    parameters = list(inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters)
    expected = [parameter for parameter in parameters if parameter != "optimizer"]
    assert list(torch_names.scheduler_options(name).options) == expected


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        (torch_names.optimizer_options("AdamW"), {"lr": "1e-4", "betas": [0.9, 0.99]}, []),
        (torch_names.optimizer_options("SGD"), {"lr": 1, "momentum": 0.9, "nesterov": True}, []),
        (torch_names.scheduler_options("StepLR"), {"step_size": 100, "gamma": 0.1}, []),
        (torch_names.scheduler_options("ReduceLROnPlateau"), {"mode": "min", "patience": 3}, []),
        (torch_names.optimizer_options("AdamW"), {"lrr": 1e-4}, ["k.lrr"]),
        (torch_names.optimizer_options("AdamW"), {"lr": "fast"}, ["k.lr"]),
        (torch_names.optimizer_options("AdamW"), {"betas": 0.9}, ["k.betas"]),
        (torch_names.scheduler_options("StepLR"), {}, ["k"]),
    ],
)
def test_parameters_are_checked(spec, values, expected):
    assert [problem.key for problem in spec.validate(values, "k")[1]] == expected


def test_nothing_of_torch_is_imported():
    code = """
import sys
from dlcore.config import torch_names
assert torch_names.optimizer_options("AdamW").takes("lr")
assert torch_names.scheduler_options("StepLR").takes("gamma")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
