"""Promises about batches: the same whoever makes them, no state, clear errors from workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dlcore.data import loader as loader_module
from dlcore.data import workers as workers_module
from dlcore.data.cache import ImageCache
from dlcore.data.chain import TransformChain
from dlcore.data.images import read_image
from dlcore.data.loader import BatchLoader
from dlcore.data.workers import choose_workers, worker_error
from dlcore.errors import DataError
from dlcore.interfaces import Collate, Transform
from tests.core.data.pictures import TASK, make_record, write_records


class Brightness(Transform):
    """Draws from the generator, and moves the points by what it drew."""

    def __call__(self, sample, rng):
        change = rng.integers(1, 50)
        sample.image = sample.image // 2 + np.uint8(change)
        sample.keypoints[..., :2] += change / 100
        return sample


class Crash(Transform):
    def __call__(self, sample, rng):
        raise ZeroDivisionError("a bug of the plugin")


class KillWorker(Transform):
    def __call__(self, sample, rng):
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class RandomCrop(Collate):
    """Cuts a window whose size is drawn for each batch."""

    def __call__(self, samples, rng):
        side = int(rng.integers(5, 20))
        for sample in samples:
            sample.image = sample.image[:side, :side]
        return list(samples)


@pytest.fixture
def records(tmp_path: Path):
    return write_records(tmp_path, [(40, 30)] * 11)


@pytest.fixture
def load(records):
    loaders = []

    def make(transforms=(), **options) -> BatchLoader:
        settings = {"batch_size": 4, "shuffle": True, "seed": 5, **options}
        chosen = settings.pop("records", records)
        loaders.append(BatchLoader(chosen, TASK, TransformChain(transforms), **settings))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.close()


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.indices, other.indices)
        assert torch.equal(one.labels.keypoints, other.labels.keypoints)
        assert torch.equal(one.to_network, other.to_network)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_workers_or_cache(load, records, workers):
    alone = load([Brightness()], collate=RandomCrop())
    helped = load(
        [Brightness()], collate=RandomCrop(), workers=workers, cache=ImageCache(records, 5000)
    )

    for epoch in (1, 2):
        assert_equal(alone.epoch(epoch), helped.epoch(epoch))
    assert helped.workers == workers


def test_beside_a_gpu_a_thread_makes_the_same_batches_ahead(load, monkeypatch):
    alone = list(load([Brightness()], batch_size=2).epoch(1))
    monkeypatch.setattr(loader_module, "has_accelerator", lambda: True)
    made = []

    class Counting(Brightness):
        def __call__(self, sample, rng):
            made.append(threading.current_thread())
            return super().__call__(sample, rng)

    epoch = load([Counting()], batch_size=2).epoch(1)
    assert_equal([next(epoch)], alone[:1])
    epoch.close()

    assert 4 <= len(made) <= 6
    assert threading.main_thread() not in made
    assert_equal(load([Brightness()], batch_size=2).epoch(1), alone)


def test_errors_of_that_thread_are_raised_where_batches_are_taken(load, records, monkeypatch):
    monkeypatch.setattr(loader_module, "has_accelerator", lambda: True)
    records[7].image.write_bytes(b"")

    with pytest.raises(DataError, match="img007"):
        list(load(shuffle=False).epoch(1))


def test_an_epoch_holds_every_image_once(load):
    indices = torch.cat([batch.indices for batch in load().epoch(3)])

    assert sorted(indices.tolist()) == list(range(11))
    assert indices.tolist() != sorted(indices.tolist())


def test_epochs_differ_in_order_and_in_draws(load):
    loader = load([Brightness()])

    first, second = list(loader.epoch(1)), list(loader.epoch(2))

    assert any(not torch.equal(a.indices, b.indices) for a, b in zip(first, second, strict=True))
    drawn = [
        {
            index: float(points[0, 0, 0])
            for batch in epoch
            for index, points in zip(batch.indices.tolist(), batch.labels.keypoints, strict=True)
        }
        for epoch in (first, second)
    ]
    assert sum(drawn[0][index] != drawn[1][index] for index in range(11)) > 5


def test_images_of_an_epoch_draw_differently(load):
    batches = list(load([Brightness()]).epoch(1))

    drawn = torch.cat([batch.labels.keypoints[:, 0, 0, 0] for batch in batches])

    assert len(drawn.unique()) > 5


def test_seeds_differ(load):
    orders = [
        torch.cat([batch.indices for batch in load(seed=seed).epoch(1)]).tolist()
        for seed in (1, 2, -1)
    ]

    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_can_begin_in_the_middle_and_be_left_early(load, workers):
    whole = list(load([Brightness()]).epoch(2))
    loader = load([Brightness()], workers=workers)

    assert_equal(loader.epoch(2, start_batch=1), whole[1:])
    early = loader.epoch(2)
    assert_equal([next(early)], whole[:1])
    assert_equal(loader.epoch(2), whole)
    assert list(loader.epoch(2, start_batch=3)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_the_random_state_of_the_model_is_left_alone(load, workers):
    before = torch.get_rng_state()

    list(load([Brightness()], workers=workers).epoch(1))

    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_that_was_overtaken_says_so(load):
    loader = load()
    first = loader.epoch(1)
    next(first)

    next(loader.epoch(2))

    with pytest.raises(RuntimeError, match="another epoch"):
        next(first)


def test_a_closed_loader_starts_anew(load):
    loader = load(workers=1)
    before = list(loader.epoch(1))

    loader.close()

    assert_equal(loader.epoch(1), before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_workers_outlive_a_sigterm_and_still_end_promptly(load):
    loader = load([Brightness()], workers=2)
    batches = loader.epoch(1)
    first = [next(batches), next(batches)]  # one of each worker
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker.pid, signal.SIGTERM)

    assert len([*first, *batches, *loader.epoch(2)]) == 2 * len(loader)
    start = time.monotonic()
    loader.close()
    assert time.monotonic() - start < 3
    assert not any(worker.is_alive() for worker in workers)


def test_not_shuffled_is_the_order_of_the_records(load, records):
    loader = load(shuffle=False)
    batches = list(loader.epoch(0))

    assert [batch.indices.tolist() for batch in batches] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10],
    ]
    assert len(loader) == 3
    picture = read_image(records[4].image)
    np.testing.assert_array_equal(batches[1].images[0].permute(1, 2, 0), picture)


@pytest.mark.parametrize("sized", [True, False])
def test_not_shuffled_images_of_different_size_never_share_a_batch(load, tmp_path, sized):
    mixed = write_records(tmp_path, [(40, 30), (20, 30), (40, 30), (20, 30), (40, 30)], sized=sized)

    batches = list(load(records=mixed, shuffle=False).epoch(0))

    assert sorted(i for batch in batches for i in batch.indices.tolist()) == [0, 1, 2, 3, 4]
    for batch in batches:
        widths = {read_image(mixed[i].image).shape[1] for i in batch.indices.tolist()}
        assert widths == {batch.images.shape[3]}


@pytest.mark.parametrize("workers", [0, 1])
def test_shuffled_images_of_different_size_name_the_keys_to_set(load, tmp_path, workers):
    mixed = write_records(tmp_path, [(40, 30), (20, 30)])
    remedy = r"40x30.*set data\.train\.crop_sampling, data\.train\.resize or data\.train\.collate"

    with pytest.raises(DataError, match=remedy):
        list(load(records=mixed, workers=workers).epoch(1))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_is_the_same_clear_error_from_a_worker(load, records, workers):
    records[7].image.write_bytes(b"")

    with pytest.raises(DataError) as caught:
        list(load(workers=workers).epoch(1))

    assert str(caught.value) == (
        f"the image '{records[7].image}' is empty (0 bytes); "
        f"copy it again or take it out of the dataset"
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_in_a_transform_keeps_its_traceback_and_names_the_image(load, workers):
    with pytest.raises(RuntimeError) as caught:
        next(load([Crash()], workers=workers, shuffle=False).epoch(1))

    story = f"{caught.value} {caught.value.__cause__!r}"
    assert "img000.png" in story
    assert "a bug of the plugin" in story


def test_a_worker_that_is_killed_is_explained(load):
    with pytest.raises(DataError, match=r"has died: .*set train_settings\.dataloader_workers"):
        next(load([KillWorker()], workers=1).epoch(1))


def test_only_torch_reports_about_workers_are_explained():
    assert worker_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


def test_workers_share_one_cache(load, records):
    cache = ImageCache(records, 10**9)

    list(load(workers=2, cache=cache).epoch(1))

    assert cache.filled == len(records)


def test_spawned_workers_make_the_same_batches_from_caches_of_their_own(load, records, monkeypatch):
    """As on Windows and macOS."""
    alone = list(load().epoch(1))
    monkeypatch.setattr(loader_module, "start_method", lambda: "spawn")
    cache = ImageCache(records, 10**9)

    assert_equal(load(workers=1, cache=cache).epoch(1), alone)
    assert cache.filled == 0


@pytest.mark.parametrize("shuffle", [True, False])
def test_only_shuffled_epochs_are_begun_unasked(load, records, tmp_path, shuffle):
    log = tmp_path / "drawn.txt"
    log.touch()

    class Writing(Brightness):
        def __call__(self, sample, rng):
            with log.open("a") as file:
                file.write("x")
            return super().__call__(sample, rng)

    loader = load([Writing()], workers=1, shuffle=shuffle)
    list(loader.epoch(1))
    deadline = time.monotonic() + 5
    while len(log.read_text()) == len(records) and time.monotonic() < deadline and shuffle:
        time.sleep(0.02)

    assert (len(log.read_text()) > len(records)) == shuffle
    assert_equal(loader.epoch(2), load([Brightness()], shuffle=shuffle).epoch(2))


def test_no_records_make_no_batches(load):
    loader = load(records=[], workers=2)

    assert len(loader) == 0
    assert list(loader.epoch(1)) == []


def test_more_workers_than_batches_are_not_started(load):
    assert load(workers=9).workers == 3


@pytest.mark.parametrize(
    ("wanted", "gpu", "cores", "batches", "chosen"),
    [
        (0, True, 16, 100, 0),
        (3, False, 2, 100, 3),
        ("auto", False, 16, 100, 0),
        ("auto", True, 1, 100, 0),
        ("auto", True, 6, 100, 5),
        ("auto", True, 64, 100, 8),
        ("auto", True, 64, 2, 2),
    ],
)
def test_the_choice_of_workers(monkeypatch, caplog, wanted, gpu, cores, batches, chosen):
    monkeypatch.setattr(workers_module, "count_cores", lambda: cores)
    monkeypatch.setattr(workers_module, "has_accelerator", lambda: gpu)
    caplog.set_level("INFO")

    assert choose_workers(wanted, batches) == chosen
    assert ("auto chose" in caplog.text) == (wanted == "auto")


def test_page_locked_memory_is_not_asked_for_without_a_gpu(load, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    batch = next(load(pin_memory=True, workers=1).epoch(1))

    assert not batch.images.is_pinned()


def test_too_many_individuals_name_the_image(load, tmp_path):
    crowded = write_records(tmp_path, [(40, 30)])
    crowded[0] = make_record(crowded[0].image, individuals=3)

    with pytest.raises(DataError, match=r"img000\.png' has 3 labelled individuals"):
        list(load(records=crowded).epoch(1))


LEFT_OPEN = """
import builtins
from pathlib import Path

import numpy as np

from dlcore.data.chain import TransformChain
from dlcore.data.loader import BatchLoader
from dlcore.interfaces import PoseTask, Record

none = np.zeros((0, 3), np.float32)
label = np.ones((1, 1, 3), np.float32)
records = [Record(Path({image!r}), None, label, none, np.zeros(1, np.int64)) for _ in range(8)]
loader = BatchLoader(
    records, PoseTask(("a",)), TransformChain(), batch_size=1, shuffle=True, seed=1, workers=2
)
batches = loader.epoch(1)
next(batches)
builtins.kept = [loader, batches]
"""


def test_a_loader_that_nobody_closes_does_not_keep_python_from_ending(tmp_path):
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), np.zeros((8, 8, 3), np.uint8))
    program = LEFT_OPEN.format(image=str(image))

    done = subprocess.run(
        [sys.executable, "-c", program], timeout=60, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_a_single_record_is_the_same_each_time_and_disturbs_no_epoch(load):
    loader = load([Brightness()])
    epoch = loader.epoch(1)
    first = next(epoch)

    one, again = loader.sample(4), loader.sample(4)

    assert one.indices.tolist() == [4]
    assert torch.equal(one.images, again.images)
    assert torch.equal(one.labels.keypoints, again.labels.keypoints)
    assert_equal([first, *epoch], load([Brightness()]).epoch(1))


@pytest.mark.parametrize("parts", [2, 3])
def test_processes_share_the_batches_of_one(load, parts):
    whole = load(batch_size=2 * parts)
    shares = [load(batch_size=2, part=(number, parts)) for number in range(parts)]

    for epoch in (0, 1):
        batches = [batch.indices.tolist() for batch in whole.epoch(epoch)]
        shared = zip(*(list(share.epoch(epoch)) for share in shares), strict=True)
        joined = [[batch.indices.tolist() for batch in step] for step in shared]
        for number, (step, batch) in enumerate(zip(joined, batches, strict=True)):
            assert len({len(share) for share in step}) == 1  # all weigh the same
            seen = {index for share in step for index in share}
            if number < len(batches) - 1:
                assert seen == set(batch)
        left_out = 11 - sum(len(share) for step in joined for share in step)
        assert left_out == 11 % parts
    assert {len(share) for share in shares} == {len(whole)}


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_processes_evaluate_each_image_once(load, parts):
    shares = [load(batch_size=2, shuffle=False, part=(n, parts)) for n in range(parts)]
    batches = [[batch.indices.tolist() for batch in share.epoch(0)] for share in shares]

    assert [len(share) for share in shares] == [len(some) for some in batches]
    alone = [batch.indices.tolist() for batch in load(batch_size=2, shuffle=False).epoch(0)]
    assert sorted(batch for some in batches for batch in some) == sorted(alone)
