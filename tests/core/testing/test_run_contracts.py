"""Contracts of schedulers, loggers, runners and net types."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcore.interfaces import Logger, NetType, Runner, Scheduler
from dlcore.testing import (
    check_logger,
    check_net_type,
    check_runner,
    check_scheduler,
    fake_batch,
    fake_task,
)

TASK = fake_task(3)


class Halve(Scheduler):
    def __init__(self, optimizer, *, every: int = 2):
        self.every = every
        super().__init__(optimizer)

    def get_lr(self):
        return [base * 0.5 ** (self.last_epoch // self.every) for base in self.base_lrs]


class Forgets(Halve):
    def state_dict(self):
        return {}

    def load_state_dict(self, state_dict):
        pass


class Negative(Halve):
    def get_lr(self):
        return [0.1 - self.last_epoch for _ in self.base_lrs]


class Unsafe(Halve):
    def state_dict(self):
        return super().state_dict() | {"owner": object}


class NeverSteps(Halve):
    interval = "never"


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Forgets, "resumed after 1 steps gives"),
        (Negative, "not below 0"),
        (Unsafe, "plain types only"),
        (NeverSteps, "interval is 'never'"),
    ],
)
def test_a_broken_scheduler_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_scheduler(cls)


def test_a_sound_scheduler_passes():
    check_scheduler(Halve)
    check_scheduler(lambda optimizer: Halve(optimizer, every=3))


class Notes(Logger):
    def __init__(self):
        self.told = []
        self.shown = []

    def log(self, metrics, step):
        self.told.append((step, dict(metrics)))

    def log_images(self, images, step):
        self.shown.append(step)
        assert all(image.dtype == np.uint8 and image.ndim == 3 for image in images.values())


class Renames(Notes):
    def log(self, metrics, step):
        metrics["step"] = step


class Paints(Notes):
    def log_images(self, images, step):
        next(iter(images.values()))[0] = 0


class Never(Notes):
    image_interval = 0


def test_loggers():
    logger = Notes()
    check_logger(logger)
    assert [step for step, _ in logger.told] == [1, 2, 3]
    assert logger.shown == [1, 2, 3]
    for cls, message in (
        (Renames, "changes what it is told"),
        (Paints, "changes the pictures"),
        (Never, "image_interval is 0; it must be None or"),
    ):
        with pytest.raises(AssertionError, match=message):
            check_logger(cls())


class GoodRunner(Runner):
    def __init__(self):
        self.model = nn.Sequential(nn.Conv2d(3, 1, 3), nn.BatchNorm2d(1))

    def losses(self, batch):
        return {"total_loss": self.model(batch.images).sub(1).square().mean()}

    def evaluate(self, batches, records):
        self.model.eval()
        with torch.no_grad():
            values = [float(self.losses(batch)["total_loss"]) for batch in batches]
        self.model.train()
        return {"losses/eval.total_loss": sum(values)}


class NoTotal(GoodRunner):
    def losses(self, batch):
        return {"loss": super().losses(batch)["total_loss"]}


class Detached(GoodRunner):
    def losses(self, batch):
        return {"total_loss": super().losses(batch)["total_loss"].detach().requires_grad_()}


class TensorResults(GoodRunner):
    def evaluate(self, batches, records):
        return {k: torch.tensor(v) for k, v in super().evaluate(batches, records).items()}


class TrainsWhileEvaluating(GoodRunner):
    def evaluate(self, batches, records):
        return {
            "losses/eval.total_loss": sum(
                float(self.losses(b)["total_loss"].detach()) for b in batches
            )
        }


class StaysInEvaluation(GoodRunner):
    def evaluate(self, batches, records):
        results = super().evaluate(batches, records)
        self.model.eval()
        return results


class DrawsOnTheImage(GoodRunner):
    def pictures(self, batch, image):
        image[0] = 0
        return {"pose": image}


class FloatPictures(GoodRunner):
    def pictures(self, batch, image):
        return {"pose": image / 255}


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (DrawsOnTheImage, "draws on the image that it is given"),
        (FloatPictures, "picture 'pose' must be an array"),
        (NoTotal, "must give 'total_loss'"),
        (Detached, "no gradient"),
        (TensorResults, "plain floats"),
        (TrainsWhileEvaluating, "evaluate changes the model"),
        (StaysInEvaluation, "back into training mode"),
    ],
)
def test_a_broken_runner_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_runner(cls(), fake_batch(TASK, normalised=True), records=[])


def test_a_sound_runner_passes():
    check_runner(GoodRunner(), fake_batch(TASK, normalised=True), records=[])


class Small(NetType):
    stride = 4
    parameters = 0.1
    gflops = 0.2

    def config(self, task):
        return {
            "net_type": "small",
            "method": "bu",
            "model": {"backbone": {"type": "Any"}, "heads": {"bodypart": {"type": "Any"}}},
        }


class Undescribed(Small):
    gflops = 0


class Contradicting(Small):
    approach = "td"


class Tuples(Small):
    def config(self, task):
        return super().config(task) | {"sizes": (1, 2)}


class NoBodypart(Small):
    def config(self, task):
        return super().config(task) | {"model": {"backbone": {"type": "Any"}, "heads": {}}}


class Shared(Small):
    made = Small().config(TASK)

    def config(self, task):
        return self.made


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Undescribed, "must declare gflops"),
        (Contradicting, "approach is 'td', but its config says method 'bu'"),
        (Tuples, "only what YAML can"),
        (NoBodypart, "must have the head 'bodypart'"),
        (Shared, "must give a new dict each time"),
    ],
)
def test_a_broken_net_type_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_net_type(cls(), TASK)


def test_a_sound_net_type_passes():
    check_net_type(Small(), TASK)
