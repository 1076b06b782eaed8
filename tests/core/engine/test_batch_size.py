"""`batch_size: auto` takes what fits and pays, and says why."""

import pytest
import torch
from torch import nn

from dlcore.engine import batch_size
from dlcore.engine.batch_size import choose_batch_size, repeated
from dlcore.engine.dry_run import OutOfMemoryError
from dlcore.interfaces import Batch, Labels, Runner

PIXELS = 16


class NetRunner(Runner):
    def __init__(self):
        self.model = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.Sigmoid())

    def losses(self, batch):
        return {"total_loss": self.model(batch.images).square().mean()}

    def evaluate(self, batches, records):
        return {}


def batch(size=2):
    labels = Labels(
        keypoints=torch.arange(size * 3.0).view(size, 1, 1, 3),
        unique_keypoints=torch.zeros(size, 0, 3),
        individual_ids=torch.zeros(size, 1, dtype=torch.int64),
        boxes=torch.zeros(size, 1, 4),
        areas=torch.ones(size, 1),
    )
    images = torch.arange(size).float()[:, None, None, None].expand(size, 3, 4, PIXELS // 4)
    maps = torch.eye(2, 3, dtype=torch.float64).repeat(size, 1, 1)
    return Batch(images.contiguous(), labels, maps, torch.arange(size))


@pytest.fixture
def machine(monkeypatch):
    """Set how long a step of each size takes, and what memory is free."""

    def set_up(seconds, *, fits=10**9, free=None):
        def step(runner, some):
            size = len(some.images)
            if size > fits:
                raise OutOfMemoryError(size)
            return seconds(size)

        monkeypatch.setattr(batch_size, "try_step", step)
        monkeypatch.setattr(batch_size, "free_memory", lambda: free)

    return set_up


def test_a_larger_batch_is_taken_while_it_is_faster(machine):
    machine(lambda size: 1.0 if size <= 16 else size / 16)  # 16 and more: 16 images a second

    chosen = choose_batch_size(NetRunner(), batch(), num_samples=10_000)

    assert chosen.images == 16
    assert "8: 8.0, 16: 16.0" in chosen.reason
    assert "32 are hardly faster" in chosen.reason


def test_what_does_not_fit_is_not_taken(machine):
    machine(lambda size: 1.0, fits=20)

    chosen = choose_batch_size(NetRunner(), batch(), num_samples=10_000)

    assert chosen.images == 16
    assert "32 do not fit" in chosen.reason


def test_if_nothing_fits_that_is_an_error(machine):
    machine(lambda size: 1.0, fits=1)
    with pytest.raises(OutOfMemoryError, match="a batch of 4"):
        choose_batch_size(NetRunner(), batch(), num_samples=10_000)


def test_what_a_step_keeps_is_counted_before_it_is_tried(machine):
    kept = 4 * PIXELS * (3 + 2 + 2)  # bytes an image: input, what sigmoid and square keep
    machine(lambda size: 1.0, free=int(8 * kept / batch_size.SHARE) + 4)

    chosen = choose_batch_size(NetRunner(), batch(), num_samples=10_000)

    assert chosen.images == 8
    assert "16 would need" in chosen.reason


@pytest.mark.parametrize(("samples", "most"), [(10_000, 64), (130, 16), (9, 1), (1, 1)])
def test_an_epoch_keeps_some_steps(machine, samples, most):
    machine(lambda size: 1.0)
    assert choose_batch_size(NetRunner(), batch(), num_samples=samples).images == most


def test_the_model_is_left_as_it_was(machine):
    machine(lambda size: 1.0)
    runner = NetRunner()
    before = runner.model[0].weight.clone()

    choose_batch_size(runner, batch(), num_samples=100)

    assert torch.equal(runner.model[0].weight, before)
    assert runner.model[0].weight.grad is None


def test_samples_are_repeated_in_order():
    many = repeated(batch(2), 5)
    assert many.images[:, 0, 0, 0].tolist() == [0, 1, 0, 1, 0]
    assert many.labels.keypoints[:, 0, 0, 0].tolist() == [0, 3, 0, 3, 0]
    assert many.indices.tolist() == [0, 1, 0, 1, 0]
    assert many.to_network.shape == (5, 2, 3)
    assert many.conditions is None


def test_the_layout_of_images_is_kept():
    some = batch(2)
    some.images = some.images.to(memory_format=torch.channels_last)
    assert repeated(some, 4).images.is_contiguous(memory_format=torch.channels_last)
