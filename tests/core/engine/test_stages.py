"""Stages: what a run trains, and where each stage writes."""

import pytest

from dlcore.config.schema import RunConfig
from dlcore.engine.stages import stages_of


def config(method="td", pose=1, detector=1, **pose_runner):
    return RunConfig.model_validate(
        {
            "method": method,
            "train_settings": {"epochs": pose},
            "runner": pose_runner,
            "detector": {"model": {"type": "X"}, "train_settings": {"epochs": detector}},
        }
    )


@pytest.mark.parametrize(
    ("changes", "only", "names"),
    [
        ({}, None, ["detector", "pose"]),
        ({"detector": 0}, None, ["pose"]),
        ({"pose": 0}, None, ["detector"]),
        ({}, "pose", ["pose"]),
        ({}, "detector", ["detector"]),
        ({"method": "bu"}, None, ["pose"]),
    ],
)
def test_a_run_trains_the_stages_that_have_epochs(changes, only, names):
    assert [stage.name for stage in stages_of(config(**changes), only)] == names


def test_each_stage_has_files_keys_and_sections_of_its_own():
    detector, pose = stages_of(config())

    assert detector.snapshot_prefix == "snapshot-detector"
    assert detector.resume_file == "resume-detector.pt"
    assert detector.statistics_file == "learning_stats_detector.csv"
    assert detector.curves_file == "learning_curves_detector.png"
    assert detector.profile_file == "profile_detector.png"
    assert detector.key("runner.type") == "detector.runner.type"
    assert detector.runner.key_metric == "test.mAP@50:95"
    assert pose.snapshot_prefix == "snapshot"
    assert pose.resume_file == "resume.pt"
    assert pose.key("runner.type") == "runner.type"


def test_a_prefix_of_the_users_own_is_taken():
    assert stages_of(config(snapshot_prefix="mine"), "pose")[0].snapshot_prefix == "mine"
