from __future__ import annotations

from dlcore.engine.reports import epoch_line
from dlcore.runs.record import StageRecord
from dlcore.runs.report.log import read_log


def stage(name, losses):
    curves = {"losses/train.total_loss": (list(losses), list(losses.values()))}
    return StageRecord(name, None, len(losses), len(losses), "test.mAP", True, curves)


def written(path, *texts):
    lines = [f"2026-05-04 12:{i:02d}:00 {text}" for i, text in enumerate(texts)]
    path.write_text("\n".join([*lines, "a line of something else", ""]))
    return path


def line(number, loss, rate=0.001, speed=12.5):
    return epoch_line(number, 9, rate, {"losses/train.total_loss": loss}, {}, speed, 60.0)


def test_what_the_trainer_writes_is_read(tmp_path):
    """The line is the trainer's own, so that the two cannot part."""
    path = written(
        tmp_path / "train.txt",
        "data: 8 training and 4 test images, 3 bodyparts, at most 1 individual(s)",
        "training 0.75 million weights on cpu in fp32 until epoch 9",
        line(1, 0.123456789, 0.001, 12.5),
        line(2, 0.1, 2e-05, 0.0),
        "profile: the network takes 96% of the time, as it should",
    )
    log = read_log(path, [stage("pose", {1: 0.123456789, 2: 0.1})])
    pose = log.stages["pose"]

    assert log.data == "8 training and 4 test images, 3 bodyparts, at most 1 individual(s)"
    assert pose.model == "0.75 million weights on cpu in fp32"
    assert pose.rates == {1: 0.001, 2: 2e-05}
    assert pose.speeds == {1: 12.5}
    assert (pose.times[2] - pose.times[1]).total_seconds() == 60
    assert pose.advice == "the network takes 96% of the time, as it should"


def test_epochs_belong_to_the_stage_whose_table_has_their_loss(tmp_path):
    path = written(
        tmp_path / "train.txt",
        line(1, 4.8, 0.1),
        "profile: about the detector",
        line(1, 0.5, 0.2),
        "profile: about the pose model",
    )
    stages = [stage("detector", {1: 4.8}), stage("pose", {1: 0.5})]
    logs = read_log(path, stages).stages

    assert (logs["detector"].rates, logs["pose"].rates) == ({1: 0.1}, {1: 0.2})
    assert logs["detector"].advice == "about the detector"
    assert logs["pose"].advice == "about the pose model"


def test_epochs_of_former_runs_and_of_undone_ones_are_left_out(tmp_path):
    former = [line(1, 0.9, 0.9), line(2, 0.8, 0.9)]
    own = [line(1, 0.5, 0.1), line(2, 0.4, 0.1), line(2, 0.4, 0.2)]
    path = written(tmp_path / "train.txt", *former, *own)

    assert read_log(path, [stage("pose", {1: 0.5, 2: 0.4})]).stages["pose"].rates == {
        1: 0.1,
        2: 0.2,
    }


def test_a_log_that_is_not_there_or_not_readable_says_nothing(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe2026 epoch 1/2 (lr=x), train loss y\n")
    for path in (tmp_path / "train.txt", tmp_path / "none.txt", tmp_path):
        log = read_log(path, [stage("pose", {1: 0.5})])
        assert (log.data, log.stages["pose"].rates) == ("", {})
