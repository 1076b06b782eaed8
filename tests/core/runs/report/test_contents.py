from __future__ import annotations

import pytest

from dlcore.runs.report.contents import gather


def test_a_profile_leaves_out_the_first_epoch_and_puts_the_largest_part_first(full_run):
    [_, pose] = gather(full_run).stages
    parts = {part.name: part for part in pose.profile}

    assert list(parts) == ["backward", "forward", "wait", "decode"]
    assert parts["decode"].seconds == pytest.approx(sum(0.5 / n for n in range(2, 13)) / 11)
    assert parts["backward"].share == pytest.approx(100 * 2 / (3.1 + parts["decode"].seconds))


def test_how_long_epochs_take_and_how_much_of_it_is_training(full_run):
    [detector, pose] = gather(full_run).stages

    assert (detector.epoch_seconds, pose.epoch_seconds) == (60.0, 60.0)
    assert pose.images_per_s == pytest.approx(10.65)
    busy = sum(175 / (10 + epoch / 10) for epoch in range(2, 13))
    assert pose.training_share == pytest.approx(100 * busy / (11 * 60))


def test_a_pause_before_resuming_is_not_the_time_of_an_epoch(full_run):
    log = (full_run / "train.txt").read_text()
    usual = gather(full_run).stages[1].training_share
    late = log.replace("2026-05-04 12:24", "2026-05-05 12:24")
    (full_run / "train.txt").write_text(late)

    assert gather(full_run).stages[1].training_share == pytest.approx(usual, rel=0.02)


def test_without_a_log_times_are_not_known(full_run):
    (full_run / "train.txt").unlink()
    page = gather(full_run)

    assert {stage.training_share for stage in page.stages} == {None}
    assert {stage.epoch_seconds for stage in page.stages} == {None}
    assert page.duration == 24 * 60 + 10


def test_the_images_with_the_largest_errors_are_told_and_what_was_missed(full_run):
    [test, _] = gather(full_run).evaluations

    assert [image.image for image in test.worst_images][:2] == ["img19.png", "img18.png"]
    assert len(test.worst_images) == 10
    assert test.missed == 10
    assert not test.is_of_another
