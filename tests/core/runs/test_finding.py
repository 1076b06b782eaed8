from __future__ import annotations

from dlcore.runs.finding import find_runs


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_runs_of_dlcore_and_of_deeplabcut_are_found_at_and_below_a_folder(tmp_path):
    touch(tmp_path / "resolved_config.yaml")
    touch(tmp_path / "b/resolved_config.yaml")
    touch(tmp_path / "project/dlc-models-pytorch/iteration-0/x/train/pytorch_config.yaml")
    touch(tmp_path / "project/dlc-models-pytorch/iteration-0/x/train/snapshot-best-010.pt")
    touch(tmp_path / "old/learning_stats_detector.csv")

    assert [path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)] == [
        ".",
        "b",
        "old",
        "project/dlc-models-pytorch/iteration-0/x/train",
    ]


def test_what_was_never_trained_or_moved_away_is_no_run(tmp_path):
    touch(tmp_path / "config only/pytorch_config.yaml")
    touch(tmp_path / "weights only/snapshot-010.pt")
    touch(tmp_path / "run/replaced-20260101-000000-0/resolved_config.yaml")
    touch(tmp_path / ".hidden/resolved_config.yaml")
    touch(tmp_path / "wandb/run/resolved_config.yaml")

    assert find_runs(tmp_path) == []
