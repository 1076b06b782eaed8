"""Tables of predictions are those that DeepLabCut writes: index, columns, names, types."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tables

from dlcore.interfaces import PoseTask, PredictedFrame, Prediction, PredictionJob
from dlcore_plugins.deeplabcut.predictions import DeepLabCutWriter, scorer_of

PARTS = ("snout", "leftear", "rightear", "shoulder", "spine", "tailbase")
MICE = ("mouse1", "mouse2", "mouse3")
SINGLE = "DLC_CspnextS_synJan1shuffle5_snapshot_best-20"
TOP_DOWN = "DLC_RtmposeS_synJan1shuffle6_detector_best-40_snapshot_best-40"
IDENTITY = "DLC_CspnextS_synJan1shuffle5_snapshot_best-60"

WRITTEN = {
    "single": (PoseTask(PARTS), SINGLE, "", "df_with_missing"),
    "multi_true_tracks": (PoseTask(PARTS, individuals=MICE), TOP_DOWN, "_el", "tracks"),
    "multi_identity_unique_true_tracks": (
        PoseTask(PARTS, ("lamp", "door"), MICE, with_identity=True),
        IDENTITY,
        "_el",
        "tracks",
    ),
}


def job_of(folder: Path, task: PoseTask, **changes) -> PredictionJob:
    job = PredictionJob(
        folder=folder,
        source=Path("videos/clip.mp4"),
        kind="video",
        task=task,
        config_path=Path("nowhere/pytorch_config.yaml"),
        config={"net_type": "cspnext_s"},
        snapshot=Path("snapshot-best-020.pt"),
        frames_per_second=20.0,
        size=(200, 200),
    )
    return replace(job, **changes)


def frames_of(table: pd.DataFrame, task: PoseTask):
    """The numbers of a table as frames."""
    values = table.to_numpy(np.float64)
    cut = task.num_individuals * task.num_keypoints * 3
    for number, row in zip(table.index, values, strict=True):
        poses = row[:cut].reshape(task.num_individuals, task.num_keypoints, 3)
        unique = row[cut:].reshape(-1, 3) if task.unique_keypoints else None
        yield PredictedFrame(int(number), Prediction(poses, unique), size=(200, 200))


def write(writer, frames, at_once=9):
    frames = list(frames)
    for start in range(0, len(frames), at_once):
        writer.write(frames[start : start + at_once])
    writer.close()


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("flush", [7, 1000])
def test_a_table_of_a_video_equals_deeplabcuts(name, flush, shared, tmp_path, monkeypatch):
    task, scorer, suffix, key = WRITTEN[name]
    theirs = shared / "peer" / "outputs" / name / "videos" / f"clip{scorer}{suffix}.h5"
    expected = pd.read_hdf(theirs)
    monkeypatch.setattr("dlcore_plugins.deeplabcut.predictions._FRAMES_AT_ONCE", flush)
    tracker = "oks" if suffix and not task.with_identity else None

    write(
        DeepLabCutWriter(job_of(tmp_path, task, tracker=tracker), scorer=scorer),
        frames_of(expected, task),
    )

    found = pd.read_hdf(tmp_path / theirs.name)
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_column_type=True)
    assert list(found.columns.names) == list(expected.columns.names)
    with tables.open_file(str(tmp_path / theirs.name)) as file:
        assert [group._v_name for group in file.root] == [key]
    text = (tmp_path / theirs.name).with_suffix(".csv").read_text()
    assert text == found.to_csv()


def test_the_table_of_a_filtered_csv_has_the_same_head(shared, tmp_path):
    task, scorer, _, _ = WRITTEN["single"]
    videos = shared / "peer" / "outputs" / "single" / "videos"
    expected = (videos / f"clip{scorer}_filtered.csv").read_text().splitlines()
    table = pd.read_hdf(videos / f"clip{scorer}_filtered.h5")

    write(DeepLabCutWriter(job_of(tmp_path, task), scorer=scorer), frames_of(table, task))

    found = (tmp_path / f"clip{scorer}.csv").read_text().splitlines()
    assert found[:3] == expected[:3]
    assert len(found) == len(expected)
    for ours, theirs in zip(found[3:], expected[3:], strict=True):
        assert np.array(ours.split(","), float) == pytest.approx(
            np.array(theirs.split(","), float), abs=1e-3
        )


def test_the_notes_beside_a_video_have_deeplabcuts_keys_in_plain_types(tmp_path):
    task = PoseTask(PARTS)
    frame = PredictedFrame(0, Prediction(np.zeros((1, 6, 3))), size=(200, 200))
    write(DeepLabCutWriter(job_of(tmp_path, task)), [frame, replace(frame, number=1)])

    (path,) = tmp_path.glob("*_meta.pickle")
    data = pickle.loads(path.read_bytes())["data"]

    assert {"start", "stop", "Scorer", "fps", "nframes", "frame_dimensions"} <= data.keys()
    assert {"cropping", "cropping_parameters", "pytorch-config"} <= data.keys()
    assert (data["nframes"], data["fps"]) == (2, 20.0)
    assert b"numpy" not in path.read_bytes()
    assert b"pathlib" not in path.read_bytes()


def test_images_have_their_paths_for_an_index(tmp_path):
    task = PoseTask(("snout", "tail"))
    writer = DeepLabCutWriter(job_of(tmp_path, task, kind="images"), scorer="DLC_x")
    poses = np.arange(6.0).reshape(1, 2, 3)
    nothing = np.full((1, 2, 3), np.nan)

    write(
        writer,
        [
            PredictedFrame(0, Prediction(poses), "images/a.png", (64, 48)),
            PredictedFrame(1, Prediction(nothing), "images/b.png"),
        ],
    )

    table = pd.read_hdf(tmp_path / "image_predictions_DLC_x.h5", "predictions")
    assert table.index.tolist() == ["images/a.png", "images/b.png"]
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    assert table.loc["images/a.png"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table.loc["images/b.png"].isna().all()
    assert set(table.dtypes) == {np.dtype("float32")}


def test_a_model_has_deeplabcuts_name_in_its_project_and_its_folders_elsewhere(shared, tmp_path):
    projects = shared / "peer" / "projects" / "single"
    (config,) = list(projects.rglob("dlc-models-pytorch/**/train/pytorch_config.yaml"))[:1]
    number = config.parent.parent.name.rpartition("shuffle")[2]
    job = job_of(tmp_path, PoseTask(PARTS), config_path=config)
    elsewhere = replace(job, config_path=tmp_path / "my run" / "pytorch_config.yaml")
    detected = replace(elsewhere, detector_snapshot=Path("snapshot-detector-200.pt"))

    assert scorer_of(job) == f"DLC_CspnextS_synJan1shuffle{number}_snapshot_best-20"
    assert scorer_of(elsewhere) == "DLC_CspnextS_my-run_snapshot_best-20"
    assert scorer_of(detected) == "DLC_CspnextS_my-run_detector_200_snapshot_best-20"


def test_many_keypoints_of_many_individuals_fit(tmp_path):
    task = PoseTask(
        tuple(f"bodypart_number_{n}" for n in range(60)),
        individuals=tuple(f"individual_{n}" for n in range(12)),
    )
    frame = PredictedFrame(0, Prediction(np.zeros((12, 60, 3))), size=(64, 48))

    write(DeepLabCutWriter(job_of(tmp_path, task, tracker="oks"), csv=False), [frame])

    (path,) = tmp_path.glob("*_el.h5")
    assert pd.read_hdf(path).shape == (1, 12 * 60 * 3)
