"""The training step: it learns, counts, and stops when a loss is not finite."""

import pytest
import torch
from torch import nn

from dlcore.engine import loop
from dlcore.engine.loop import EpochState, NonFiniteLossError, train_one_epoch
from dlcore.interfaces import Batch, Labels, Runner


class MeanRunner(Runner):
    """Learns the mean of the images; the loss of an all-255 batch is NaN."""

    def __init__(self):
        self.model = nn.Linear(1, 1)

    def losses(self, batch):
        values = batch.images.float().mean(dim=(1, 2, 3))[:, None]
        loss = (self.model(torch.ones_like(values)) - values).square().mean()
        if batch.images.min() == 255:
            loss = loss * float("nan")
        return {"part": loss.detach(), "total_loss": loss}

    def evaluate(self, batches, records):
        return {}


def batch(value, index):
    labels = Labels(*(torch.zeros(1, 0) for _ in range(5)))
    images = torch.full((1, 3, 2, 2), value, dtype=torch.uint8)
    return Batch(images, labels, torch.zeros(1, 2, 3), torch.tensor([index]))


def train(runner, batches, state=None):
    optimizer = torch.optim.SGD(runner.model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    state = state or EpochState()
    steps = []
    train_one_epoch(
        runner,
        batches,
        optimizer,
        scaler,
        state=state,
        after_step=lambda state: steps.append(state.step),
    )
    return state, steps


def test_the_loss_falls_and_is_averaged_over_the_steps():
    runner = MeanRunner()
    first, _ = train(runner, [batch(3, 0)])
    second, steps = train(runner, [batch(3, 0)] * 20)

    assert second.means()["total_loss"] < first.means()["total_loss"]
    assert second.means().keys() == {"part", "total_loss"}
    assert steps == list(range(1, 21))


def test_a_loss_that_is_not_finite_names_step_loss_and_images():
    batches = [batch(1, 10), batch(255, 11), batch(1, 12)]

    with pytest.raises(NonFiniteLossError) as error:
        train(MeanRunner(), batches)

    assert error.value.step == 2
    assert error.value.indices == [11]
    assert set(error.value.losses) == {"part", "total_loss"}


def test_looked_at_later_it_is_still_the_first_bad_step_that_is_told(monkeypatch):
    look, looks = loop._look_at_losses, []

    def look_at_the_end(state):
        looks.append(state.step)
        if len(looks) == 4:  # once after each of three steps, and once after the epoch
            look(state)

    monkeypatch.setattr(loop, "_look_at_losses", look_at_the_end)
    runner = MeanRunner()
    plain = runner.losses
    parts = iter([1.0, 2.0, 3.0])
    runner.losses = lambda batch: plain(batch) | {"part": torch.tensor(next(parts))}

    with pytest.raises(NonFiniteLossError) as error:
        train(runner, [batch(1, 10), batch(255, 11), batch(255, 12)])

    assert error.value.step == 2
    assert error.value.indices == [11]
    assert error.value.losses["part"] == 2.0


def test_an_epoch_can_go_on_in_the_middle():
    runner = MeanRunner()
    state, _ = train(runner, [batch(1, 0), batch(2, 1)])
    sums = dict(state.sums)

    state, steps = train(runner, [batch(3, 2)], state)

    assert steps == [3]
    assert state.step == 3
    assert state.sums["total_loss"] > sums["total_loss"]
