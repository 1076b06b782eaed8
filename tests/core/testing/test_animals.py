"""Drawn animals: labels are where the animals are, and the seed decides."""

import json

import cv2
import numpy as np
import pytest

from dlcore.testing.animals import KEYPOINTS, SYMMETRIES, draw_image, write_animals


def test_the_eyes_are_where_the_labels_say():
    rng = np.random.default_rng(3)
    for _ in range(20):
        image, [animal] = draw_image(rng, size=160)
        for name in ("left_eye", "right_eye"):
            x, y = animal.keypoints[KEYPOINTS.index(name)]
            around = image[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].astype(int)
            yellow = around[..., :2].mean(axis=-1) - around[..., 2]
            assert yellow.max() > 60


def test_left_is_left_of_somebody_who_looks_ahead():
    rng = np.random.default_rng(4)
    [[left, right]] = SYMMETRIES
    for _ in range(20):
        _, [animal] = draw_image(rng)
        ahead = animal.keypoints[0] - animal.keypoints[KEYPOINTS.index("neck")]
        side = animal.keypoints[left] - animal.keypoints[right]
        assert ahead[0] * side[1] - ahead[1] * side[0] < 0  # y points down


def test_all_keypoints_lie_inside():
    rng = np.random.default_rng(5)
    for _ in range(50):
        _, animals = draw_image(rng, size=96, num_animals=2)
        for animal in animals:
            assert (animal.keypoints > 0).all()
            assert (animal.keypoints < 96).all()
            assert animal.length > 10


@pytest.mark.parametrize("num_animals", [1, 2])
def test_writes_a_coco_folder(tmp_path, num_animals):
    write_animals(tmp_path, num_train=3, num_test=2, size=64, num_animals=num_animals)

    for split, count in (("train", 3), ("test", 2)):
        content = json.loads((tmp_path / f"{split}.json").read_text())
        assert len(content["images"]) == count
        assert len(content["annotations"]) == count * num_animals
        assert content["categories"][0]["keypoints"] == list(KEYPOINTS)
        for image in content["images"]:
            pixels = cv2.imread(str(tmp_path / "images" / image["file_name"]))
            assert pixels.shape == (64, 64, 3)


def test_the_same_seed_draws_the_same(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_animals(tmp_path / name, num_train=1, num_test=0, size=64, seed=seed)
    a, b, c = ((tmp_path / n / "images" / "train0000.png").read_bytes() for n in "abc")

    assert a == b
    assert a != c
