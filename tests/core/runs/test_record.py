from __future__ import annotations

import pytest

from dlcore.errors import DataError
from dlcore.runs.record import open_run, read_run
from tests.core.runs.conftest import BEGUN, DETECTOR, TWO_STAGES


def test_the_files_of_a_run_tell_how_far_it_came_and_how_good_it_is(make_run):
    run = read_run(make_run())

    assert (run.net_type, run.method, run.problems) == ("resnet_50", "bu", ())
    assert run.changed == BEGUN + 400
    assert sum(run.snapshots.values()) == 3000
    [stage] = run.stages
    assert (stage.name, stage.epochs, stage.planned) == ("pose", 4, 4)
    assert stage.best_epoch == 2
    assert list(stage.best.items()) == [("test.mAP", 40.0), ("test.rmse", 5.0)]


def test_the_best_epoch_is_that_of_the_key_metric_and_its_direction(make_run):
    folder = make_run(
        rows=[(1, "", 0.5, 10.0, 7.0), (2, "", 0.4, 20.0, 9.0)],
        **{"runner.key_metric": "test.rmse", "runner.key_metric_asc": False},
    )
    [stage] = read_run(folder).stages
    assert list(stage.best.items()) == [("test.rmse", 7.0), ("test.mAP", 10.0)]


def test_a_run_with_a_detector_has_two_stages(make_run):
    run = read_run(make_run(detector=DETECTOR, **TWO_STAGES))

    assert [(s.name, s.architecture, s.epochs, s.planned) for s in run.stages] == [
        ("detector", "SSDLite", 2, 2),
        ("pose", "resnet_50", 4, 4),
    ]
    assert run.stages[0].best == {"test.mAP@50:95": 8.0}


def test_a_detector_that_was_trained_elsewhere_is_told(make_run):
    run = read_run(make_run(snapshots=["snapshot-detector-030.pt"], **TWO_STAGES))

    assert [(stage.name, stage.given) for stage in run.stages] == [
        ("detector", True),
        ("pose", False),
    ]


def test_a_folder_of_deeplabcut_is_read_from_the_config_beside_the_snapshots(make_run):
    folder = make_run(config_name="pytorch_config.yaml", rows=None)
    run = read_run(folder)

    assert (run.has_defaults, run.manifest, run.status) == (False, {}, {})
    assert run.stages[0].epochs == 4
    assert run.stages[0].best == {}


def test_a_model_without_a_net_type_is_named_by_its_backbone(make_run):
    assert read_run(make_run(net_type=None)).net_type == "resnet50_gn"


def test_what_cannot_be_read_is_told_and_the_rest_is_there(make_run):
    folder = make_run()
    (folder / "learning_stats.csv").write_text("no table\n1,2\n")
    (folder / "manifest.json").write_text("{")
    run = read_run(folder)

    assert len(run.problems) == 2
    assert "learning_stats.csv' is no table" in run.problems[0]
    assert "manifest.json' cannot be read" in run.problems[1]
    assert run.net_type == "resnet_50"

    (folder / "resolved_config.yaml").write_text("a: [")
    run = read_run(folder)
    assert run.net_type is None
    assert len(run.problems) == 3


def test_a_run_can_be_named_by_a_file_in_it(make_run, tmp_path):
    folder = make_run()
    assert open_run(folder / "resolved_config.yaml").folder == folder
    with pytest.raises(DataError, match="is not the folder of a run"):
        open_run(tmp_path)
    with pytest.raises(DataError, match="is not the folder of a run"):
        open_run(tmp_path / "gone")
