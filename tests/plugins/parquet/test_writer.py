"""A long table with a row for each keypoint that was found."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'dlcore[parquet]'")

from dlcore.interfaces import PoseTask  # noqa: E402
from dlcore.testing.prediction_contracts import fake_frames, fake_prediction_job  # noqa: E402
from dlcore_plugins.parquet.writer import ParquetWriter  # noqa: E402

TASK = PoseTask(("snout", "tail"), ("door",), ("a", "b"))


def test_what_was_found_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr("dlcore_plugins.parquet.writer._ROWS_AT_ONCE", 40)
    job = fake_prediction_job(tmp_path, TASK)
    frames = list(fake_frames(job))
    writer = ParquetWriter(job)
    for frame in frames:
        writer.write([frame])
    writer.close()

    path = tmp_path / "clip.parquet"
    table = pd.read_parquet(path)

    assert table.columns.tolist() == ["frame", "individual", "keypoint", "x", "y", "score"]
    assert parquet.ParquetFile(path).num_row_groups > 1
    wide = table.set_index(["frame", "individual", "keypoint"])["x"]
    for frame in frames:
        for i, individual in enumerate(TASK.individuals):
            for k, keypoint in enumerate(TASK.keypoints):
                expected = frame.prediction.poses[i, k, 0]
                found = wide.get((frame.number, individual, keypoint), np.nan)
                np.testing.assert_allclose(found, expected, rtol=1e-6)
    doors = table[table["individual"].isna()]
    assert set(doors["keypoint"]) == {"door"}
    assert len(doors) == sum(np.isfinite(f.prediction.unique).all() for f in frames)


def test_the_file_says_what_it_is(tmp_path):
    job = fake_prediction_job(tmp_path, TASK)
    writer = ParquetWriter(job)
    writer.write(list(fake_frames(job))[:1])
    writer.close()

    about = json.loads(parquet.read_schema(tmp_path / "clip.parquet").metadata[b"dlcore"])

    assert about["keypoints"] == ["snout", "tail"]
    assert about["frames_per_second"] == 25.0


def test_an_unknown_compression_is_refused(tmp_path):
    with pytest.raises(ValueError, match="compression 'pkzip'"):
        ParquetWriter(fake_prediction_job(tmp_path, TASK), compression="pkzip")
