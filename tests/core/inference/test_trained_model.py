"""Trained models for programs: arrays and files in, arrays out."""

import numpy as np
import pytest

from dlcore.data.images import read_image
from dlcore.errors import DataError
from dlcore.inference import load_model


@pytest.fixture(scope="module")
def model(shared):
    return load_model(shared / "peer" / "snapshots" / "multi_identity_unique_cspnext_s")


def test_arrays_and_files_give_the_same(model):
    folder = model.run.folder / "images"
    files = sorted(folder.glob("*.png"))
    arrays = np.stack([read_image(path) for path in files])

    from_files, from_arrays = model.predict(files), model.predict(arrays)

    assert len(from_files) == len(files) == 2
    for one, other in zip(from_files, from_arrays, strict=True):
        np.testing.assert_array_equal(one.poses, other.poses)
        assert one.poses.shape[1:] == (len(model.task.keypoints), 3)


def test_what_is_no_image_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) of uint8, RGB, got \(5, 5\) float64"):
        model.predict([np.zeros((5, 5))])
    with pytest.raises(DataError, match=r"none\.png"):
        model.predict([tmp_path / "none.png"])
