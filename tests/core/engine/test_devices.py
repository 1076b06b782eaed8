"""From `device:` to a device that exists."""

import logging

import pytest
import torch

from dlcore.config.schema import RunnerSection
from dlcore.engine.devices import number_of_processes, resolve_device
from dlcore.errors import TrainingError


def test_cpu_is_always_there():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu:5", "meta", "xpu", "vulkan"])
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


@pytest.fixture
def _one_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)


@pytest.fixture
def _no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(("gpus", "expected"), [([2, 3], [2, 3]), (None, [0, 1])])
def test_each_process_has_a_gpu_of_its_own(monkeypatch, gpus, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)

    for local_rank, number in enumerate(expected):
        assert resolve_device("auto", gpus, local_rank) == torch.device("cuda", number)


@pytest.mark.parametrize(
    ("requested", "gpus", "cuda", "expected"),
    [
        ("auto", [0, 1], True, 2),
        ("cuda", [0, 1, 3], True, 3),
        ("auto", [1], True, 1),
        ("auto", None, True, 1),
        ("cuda:1", [0, 1], True, 1),
        ("auto", [0, 1], False, 1),
        ("cpu", [0, 1], True, 1),
    ],
)
def test_there_is_a_process_for_each_gpu(monkeypatch, requested, gpus, cuda, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)

    assert number_of_processes(requested, RunnerSection(gpus=gpus)) == expected


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("requested", ["auto", "cpu"])
def test_gpus_do_not_count_where_there_is_no_cuda(requested, caplog):
    with caplog.at_level(logging.WARNING, "dlcore"):
        assert resolve_device(requested, [0, 1]) == torch.device("cpu")

    assert not caplog.records


@pytest.mark.usefixtures("_one_gpu")
def test_gpus_do_not_count_beside_the_cpu():
    assert resolve_device("cpu", [0]) == torch.device("cpu")


@pytest.mark.usefixtures("_one_gpu")
def test_a_number_of_a_gpu_that_is_not_there_is_refused_by_its_key():
    with pytest.raises(TrainingError, match=r"runner\.gpus: \[1\] cannot be used.* has 1 CUDA"):
        resolve_device("auto", [1])


@pytest.mark.usefixtures("_no_gpu")
def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(TrainingError, match="device: 'cuda' cannot be used: no GPU is found"):
        resolve_device("cuda", [0])
