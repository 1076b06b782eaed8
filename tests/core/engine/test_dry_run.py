"""The dry run finds out, and leaves no trace."""

import pytest
import torch
from torch import nn

from dlcore.engine.dry_run import OutOfMemoryError, memory_for, try_step, untouched
from dlcore.interfaces import Batch, Runner

CPU = torch.device("cpu")


class NetRunner(Runner):
    def __init__(self):
        self.model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5))

    def losses(self, batch):
        return {"total_loss": self.model(batch.images).square().mean()}

    def evaluate(self, batches, records):
        return {}


def batch():
    return Batch(torch.randn(2, 3, 4, 4), None, None, None)


def test_weights_buffers_gradients_mode_and_random_numbers_are_as_before():
    runner = NetRunner()
    runner.model.eval()
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(1)

    torch.manual_seed(1)
    with untouched(runner.model, CPU):
        assert try_step(runner, batch()) > 0
        assert runner.model.training
        assert not torch.equal(runner.model[1].running_mean, before["1.running_mean"])

    after = runner.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in runner.model.parameters())
    assert not runner.model.training
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(("size", "advice"), [(8, "try --set a.key=4"), (1, "use smaller crops")])
def test_running_out_of_memory_names_what_to_try(size, advice):
    with pytest.raises(OutOfMemoryError, match=f"a batch of {size}") as caught, memory_for(size):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")
    assert caught.value.advice("a.key").startswith(advice)


def test_another_error_is_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shapes"), memory_for(8):
        raise RuntimeError("shapes do not fit")
