"""Results are what COCO's tools read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcore import DataError
from dlcore.interfaces import PoseTask, PredictedFrame, Prediction, PredictionJob
from dlcore_plugins.coco.results import COCOResultsWriter

TASK = PoseTask(("snout", "tail"), individuals=("a", "b"))
POSES = np.array([[(1.5, 2.25, 0.5), (np.nan,) * 3], [(np.nan,) * 3] * 2])
BOXES = np.array([(0.0, 1.0, 20.0, 30.0), (np.nan,) * 4])


def job_of(folder: Path, **changes) -> PredictionJob:
    job = PredictionJob(
        folder, folder / "images", "images", TASK, folder / "c.yaml", folder / "snapshot-010.pt"
    )
    return replace(job, **changes)


def entries(job, *frames, **options):
    writer = COCOResultsWriter(job, **options)
    try:
        writer.write(frames)
        writer.close()
    finally:
        writer.abandon()
    return json.loads((job.folder / writer.files[0]).read_text())


def test_an_entry_for_each_individual_that_is_found(tmp_path):
    job = job_of(tmp_path, kind="video", source=Path("clip.mp4"), tracker="oks")
    frame = PredictedFrame(7, Prediction(POSES, boxes=BOXES), size=(64, 48))
    other = PredictedFrame(8, Prediction(POSES[::-1].copy()), size=(64, 48))

    first, second = entries(job, frame, other)

    assert first == {
        "image_id": 7,
        "category_id": 1,
        "keypoints": [1.5, 2.25, 0.5, 0, 0, 0],
        "score": 0.5,
        "bbox": [0, 1, 20, 30],
        "track_id": 1,
    }
    assert (second["image_id"], second["track_id"]) == (8, 2)


def test_nothing_found_is_an_empty_list(tmp_path):
    assert entries(job_of(tmp_path), PredictedFrame(0, Prediction(POSES[1:]))) == []


def test_ids_come_from_the_file_that_knows_the_images(tmp_path):
    known = tmp_path / "test.json"
    known.write_text(json.dumps({"images": [{"file_name": "a/1.png", "id": 42}]}))
    frame = PredictedFrame(0, Prediction(POSES), "data/a/1.png", (64, 48))

    (entry,) = entries(job_of(tmp_path), frame, annotations=str(known))

    assert (entry["image_id"], entry["file_name"]) == (42, "data/a/1.png")
    with pytest.raises(DataError, match=r"'data/b\.png' is not among"):
        entries(job_of(tmp_path), replace(frame, name="data/b.png"), annotations=str(known))
    with pytest.raises(ValueError, match="annotations"):
        COCOResultsWriter(job_of(tmp_path), annotations=str(tmp_path / "none.json"))


def test_pycocotools_reads_them(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    truth = tmp_path / "truth.json"
    names = list(TASK.keypoints)
    content = {
        "images": [{"id": 0, "file_name": "0.png", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "mouse", "keypoints": names, "skeleton": []}],
        "annotations": [],
        "info": {},
    }
    truth.write_text(json.dumps(content))
    found = entries(job_of(tmp_path), PredictedFrame(0, Prediction(POSES), "0.png", (64, 48)))

    results = coco.COCO(str(truth)).loadRes(found)

    assert [results.anns[i]["keypoints"][:3] for i in results.getAnnIds()] == [[1.5, 2.25, 0.5]]
