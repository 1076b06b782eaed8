"""Promises about the cache: each image decoded once, within the budget, seen by all workers."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcore.data import cache as module
from dlcore.data.cache import ImageCache, auto_budget
from dlcore.data.images import read_image
from dlcore.errors import DataError
from tests.core.data.pictures import make_record, write_records

BYTES = 40 * 30 * 3


@pytest.fixture
def records(tmp_path: Path):
    return write_records(tmp_path, [(40, 30)] * 4)


@pytest.fixture
def decoded(monkeypatch, tmp_path: Path):
    """Names of the files that were decoded so far, in any process."""
    log = tmp_path / "decoded.txt"
    log.touch()

    def counted(path):
        with log.open("a") as file:
            file.write(path.name + "\n")
        return read_image(path)

    monkeypatch.setattr(module, "read_image", counted)
    return lambda: log.read_text().split()


def test_an_image_is_decoded_once(records, decoded):
    cache = ImageCache(records, 10**9)

    for _ in range(3):
        np.testing.assert_array_equal(cache.get(2), read_image(records[2].image))

    assert decoded() == ["img002.png"]
    assert (len(cache), cache.filled) == (4, 1)


def test_the_budget_goes_to_the_first_records(records, decoded):
    cache = ImageCache(records, 2 * BYTES + 5)

    for index in [0, 1, 2, 3] * 2:
        np.testing.assert_array_equal(cache.get(index), read_image(records[index].image))

    assert len(cache) == 2
    assert sorted(decoded()) == [f"img00{n}.png" for n in (0, 1, 2, 2, 3, 3)]


@pytest.mark.parametrize("budget", [0, BYTES - 1])
def test_without_a_budget_nothing_is_kept(records, decoded, budget):
    cache = ImageCache(records, budget)

    cache.get(0)
    cache.get(0)

    assert len(cache) == 0
    assert len(decoded()) == 2


def test_no_records_make_an_empty_cache():
    assert len(ImageCache([], 100)) == 0


def test_kept_images_cannot_be_changed_by_accident(records):
    cache = ImageCache(records, 10**9)

    with pytest.raises(ValueError, match="read-only"):
        cache.get(0)[0, 0] = 1


def test_sizes_that_are_not_on_record_are_looked_up(tmp_path):
    records = write_records(tmp_path, [(40, 30), (20, 50)], sized=False)

    cache = ImageCache(records, 10**9)

    assert len(cache) == 2
    assert cache.get(1).shape == (50, 20, 3)


def test_a_wrong_size_on_record_costs_speed_only(tmp_path, decoded):
    (record,) = write_records(tmp_path, [(40, 30)])
    record.size = (30, 40)
    cache = ImageCache([record], 10**9)

    assert cache.get(0).shape == (30, 40, 3)
    assert cache.get(0).shape == (30, 40, 3)
    assert len(decoded()) == 2


def test_a_missing_image_is_named(tmp_path):
    cache = ImageCache([make_record(tmp_path / "gone.png")], 10**9)

    with pytest.raises(DataError, match=r"gone\.png"):
        cache.get(0)
    with pytest.raises(DataError, match=r"gone\.png"):
        ImageCache([make_record(tmp_path / "gone.png", None)], 10**9)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_forked_processes_share_what_they_decode(records, decoded):
    cache = ImageCache(records, 10**9)

    for _ in range(2):
        process = multiprocessing.get_context("fork").Process(target=cache.get, args=(1,))
        process.start()
        process.join()
    cache.get(1)

    assert decoded() == ["img001.png"]


def test_a_pickled_cache_starts_empty_and_works(records):
    cache = ImageCache(records, 2 * BYTES)
    cache.get(0)

    copy = pickle.loads(pickle.dumps(cache))

    assert (len(copy), copy.filled) == (2, 0)
    np.testing.assert_array_equal(copy.get(0), cache.get(0))


def test_private_caches_divide_the_budget(records):
    assert len(ImageCache(records, 4 * BYTES).private(2)) == 2


def test_a_budget_that_the_system_refuses_is_an_error_with_a_remedy(records, monkeypatch):
    def refuse(*_):
        raise OSError(12, os.strerror(12))

    monkeypatch.setattr(module.mmap, "mmap", refuse)

    with pytest.raises(DataError, match=r"set train_settings\.cache_gb to a smaller number"):
        ImageCache(records, 10**9)


@pytest.mark.parametrize(
    ("system", "container", "budget"),
    [(8000, None, 2000), (8000, 4000, 1000), (None, 4000, 1000), (None, None, 2**30)],
)
def test_the_automatic_budget_is_a_quarter_of_what_is_free(monkeypatch, system, container, budget):
    monkeypatch.setattr(module, "_free_in_system", lambda: system)
    monkeypatch.setattr(module, "_free_in_container", lambda: container)

    assert auto_budget() == budget


def test_free_memory_is_what_the_system_says_is_available(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nMemFree: 7 kB\nMemAvailable: 50 kB\n")

    assert module._free_in_system(tmp_path / "meminfo") == 50 * 1024


def test_the_tightest_control_group_counts(tmp_path):
    limits = {"": "max", "job": "1000", "job/step": "5000"}
    for group, limit in limits.items():
        folder = tmp_path / "cgroup" / group
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("700\n")
        (folder / "memory.stat").write_text("anon 1\ninactive_file 150\nslab 2\n")
    membership = tmp_path / "membership"

    membership.write_text("1:cpu:/old\n0::/job/step\n")
    assert module._free_in_container(tmp_path / "cgroup", membership) == 450
    membership.write_text("0::/\n")
    assert module._free_in_container(tmp_path / "cgroup", membership) is None
    assert module._free_in_container(tmp_path / "cgroup", tmp_path / "nothing") is None


def test_the_automatic_budget_is_positive_here():
    assert auto_budget() > 0
