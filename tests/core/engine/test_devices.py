"""From `device:` to a device that exists."""

import pytest
import torch

from dlcore.engine.devices import resolve_device
from dlcore.errors import TrainingError


def test_cpu_is_always_there():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", ""])
def test_a_word_that_is_no_device_is_refused(name):
    with pytest.raises(TrainingError, match="is not a device; write auto"):
        resolve_device(name)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)

    with pytest.raises(TrainingError, match="no GPU is found"):
        resolve_device("cuda:1")


def test_auto_takes_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    assert resolve_device("auto") == torch.device("cpu")


def test_several_gpus_are_refused_for_now():
    with pytest.raises(TrainingError, match="several GPUs"):
        resolve_device("auto", [0, 1])
