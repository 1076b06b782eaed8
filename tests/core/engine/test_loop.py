"""The training step: it learns, counts, and stops when a loss is not finite."""

import pytest
import torch
from torch import nn

from dlcore.engine import loop
from dlcore.engine.groups import Groups
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


def train(runner, batches, state=None, *, scaler=None, rate=0.1, **options):
    optimizer = torch.optim.SGD(runner.model.parameters(), lr=rate)
    scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
    state = state or EpochState()
    steps = []
    train_one_epoch(
        runner,
        batches,
        optimizer,
        scaler,
        state=state,
        after_step=lambda state, losses: steps.append(state.step),
        **options,
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


class SquareRunner(MeanRunner):
    """A mean over the images of a batch of a network without batch statistics."""

    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1))

    def losses(self, batch):
        values = self.model(batch.images.float() / 255)
        return {"total_loss": (values - batch.indices[:, None] / 10).square().mean()}


def images(*numbers):
    """A batch of different images."""
    generator = torch.Generator().manual_seed(0)
    every = torch.randint(0, 255, (40, 3, 2, 2), dtype=torch.uint8, generator=generator)
    indices = torch.tensor(numbers)
    one = batch(0, 0)
    return Batch(every[indices], one.labels, one.to_network, indices)


def weights(runner):
    return torch.cat([parameter.detach().flatten() for parameter in runner.model.parameters()])


def test_two_batches_of_four_accumulated_equal_one_batch_of_eight():
    whole, parts = SquareRunner(), SquareRunner()

    train(whole, [images(*range(8)), images(*range(8, 16))])
    small = [images(*range(start, start + 4)) for start in (0, 4, 8, 12)]
    train(parts, small, groups=Groups(2, batch_size=4, images=16))

    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-6, atol=1e-7)


def test_an_incomplete_group_at_the_end_counts_as_a_batch_of_its_images():
    whole, parts = SquareRunner(), SquareRunner()

    train(whole, [images(*range(8)), images(*range(8, 13))])
    small = [images(*range(4)), images(*range(4, 8)), images(*range(8, 12)), images(12)]
    _, steps = train(parts, small, groups=Groups(2, batch_size=4, images=13))

    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-6, atol=1e-7)
    assert steps == [1, 2, 3, 4]

    train(whole, [images(0, 1, 2, 3, 4)])
    train(parts, [images(0, 1, 2, 3), images(4)], groups=Groups(8, batch_size=4, images=5))
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-6, atol=1e-7)


def test_the_weights_change_only_at_the_end_of_a_group():
    runner, seen = SquareRunner(), []

    def look(state, losses):
        seen.append((state.updated, weights(runner)))

    train_one_epoch(
        runner,
        [images(0), images(1), images(2)],
        torch.optim.SGD(runner.model.parameters(), lr=0.1),
        torch.amp.GradScaler("cpu", enabled=False),
        state=EpochState(),
        after_step=look,
        groups=Groups(2, batch_size=1, images=3),
    )

    assert [updated for updated, _ in seen] == [False, True, True]
    assert torch.equal(seen[0][1], weights(SquareRunner()))
    assert not torch.equal(seen[0][1], seen[1][1])


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_gradients_are_clipped_to_a_norm_whatever_the_loss_is_scaled_by(scale):
    before, runner = weights(SquareRunner()), SquareRunner()
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)

    train(runner, [images(0, 1)], rate=1.0, max_norm=1e-3, scaler=scaler)

    assert float((weights(runner) - before).norm()) == pytest.approx(1e-3, rel=1e-4)


def test_small_gradients_are_not_clipped():
    clipped, plain = SquareRunner(), SquareRunner()

    train(clipped, [images(0, 1)], max_norm=1e6)
    train(plain, [images(0, 1)])

    assert torch.equal(weights(clipped), weights(plain))


def test_an_epoch_can_go_on_in_the_middle():
    runner = MeanRunner()
    state, _ = train(runner, [batch(1, 0), batch(2, 1)])
    sums = dict(state.sums)

    state, steps = train(runner, [batch(3, 2)], state)

    assert steps == [3]
    assert state.step == 3
    assert state.sums["total_loss"] > sums["total_loss"]
