"""Pictures are made of the same images throughout a run, and only if somebody wants them."""

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dlcore.data.device import Normalization
from dlcore.engine.picture_log import Pictures, choose
from dlcore.interfaces import Logger, Record
from dlcore.testing import fake_batch, fake_task

TASK = fake_task(3)
CPU = torch.device("cpu")


def record(visibility=2.0):
    keypoints = np.array([[[5, 5, visibility]] * 3], np.float32)
    unique = np.zeros((0, 3), np.float32)
    return Record(Path("a.png"), (64, 64), keypoints, unique, np.zeros(1, np.int64))


class Loader:
    """Gives one batch and notes what it is asked for."""

    def __init__(self, seed):
        self.batch = fake_batch(TASK, batch=1, seed=seed)
        self.asked = []

    def sample(self, index):
        self.asked.append(index)
        return self.batch


class Runner:
    """Notes what it is given, and draws random numbers as a model might."""

    def __init__(self):
        self.model = nn.Dropout()
        self.given = []
        self.fails = False

    def pictures(self, batch, image):
        assert not self.model.training
        assert not torch.is_grad_enabled()
        torch.rand(3)
        if self.fails:
            raise RuntimeError("no maps\nmore")
        self.given.append((batch, image))
        return {"pose": image}


class Wanting(Logger):
    def __init__(self, interval):
        self.image_interval = interval
        self.shown = []

    def log(self, metrics, step):
        pass

    def log_images(self, images, step):
        self.shown.append((step, sorted(images)))


@pytest.fixture
def run():
    """Pictures of a run, and what they are made of."""
    runner = Runner()
    data = SimpleNamespace(
        train=Loader(1),
        evaluation=Loader(2),
        train_records=[record()] * 5,
        eval_records=[record()] * 5,
        train_normalization=Normalization((0.0,) * 3, (1.0,) * 3),
        eval_normalization=Normalization((10.0,) * 3, (2.0,) * 3),
    )
    pictures = Pictures(runner, data, CPU, torch.contiguous_format, seed=7)
    return SimpleNamespace(pictures=pictures, runner=runner, data=data)


def tell(logger, say):
    say()


def test_every_logger_gets_pictures_as_often_as_it_wants(run):
    often, seldom, never = Wanting(2), Wanting(3), Wanting(None)
    for epoch in range(1, 7):
        run.pictures.tell([often, seldom, never], epoch, tell)

    names = ["images/test.pose", "images/train.pose"]
    assert often.shown == [(2, names), (4, names), (6, names)]
    assert [step for step, _ in seldom.shown] == [3, 6]
    assert never.shown == []
    assert len(run.runner.given) == 8, "two pictures in each of four epochs"


def test_nothing_is_loaded_if_nobody_wants_pictures(run):
    for epoch in range(1, 4):
        run.pictures.tell([Wanting(None), Wanting(10)], epoch, tell)

    assert run.data.train.asked == run.data.evaluation.asked == run.runner.given == []


def test_an_image_is_loaded_once_and_seen_as_the_model_sees_it(run):
    run.pictures.take()
    run.pictures.take()

    assert len(run.data.train.asked) == len(run.data.evaluation.asked) == 1
    (train, train_image), (test, test_image), *_ = run.runner.given
    np.testing.assert_array_equal(train_image, train.images[0].permute(1, 2, 0).numpy())
    torch.testing.assert_close(
        test.images[0], (torch.from_numpy(test_image).permute(2, 0, 1).float() - 10) / 2
    )


def test_a_run_without_test_images_shows_a_training_image(run):
    run.data.evaluation = None

    assert list(run.pictures.take()) == ["images/train.pose"]


def test_mode_and_random_numbers_are_as_they_were(run):
    for training in (True, False):
        run.runner.model.train(training)
        before = torch.get_rng_state()
        run.pictures.take()
        assert run.runner.model.training is training
        assert torch.equal(torch.get_rng_state(), before)


def test_a_failure_is_told_once_and_ends_the_pictures(run, caplog):
    logger = Wanting(1)
    run.runner.fails = True
    with caplog.at_level(logging.WARNING):
        for epoch in (1, 2):
            run.pictures.tell([logger], epoch, tell)

    assert [r.message for r in caplog.records] == [
        "no pictures are made any more: RuntimeError: no maps"
    ]
    assert logger.shown == []
    assert run.runner.model.training


def test_the_choice_depends_on_the_seed_alone():
    records = [record()] * 50

    assert choose(records, "train", 7) == choose(list(records), "train", 7)
    assert len({choose(records, "train", seed) for seed in range(10)}) > 5
    assert len({choose(records, "test", seed) for seed in range(10)}) > 5
    assert any(choose(records, "train", seed) != choose(records, "test", seed) for seed in range(5))


def test_an_image_with_labels_is_chosen_if_there_is_one():
    records = [record(0)] * 9 + [record(1)]

    assert {choose(records, "train", seed) for seed in range(5)} == {9}
    assert choose([record(0)] * 3, "train", 1) in range(3)
