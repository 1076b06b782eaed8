"""Crops for top-down models: where they are cut, and that coordinates go back exactly."""

import json
from pathlib import Path

import numpy as np
import pytest

from dlcore.data.chain import TransformChain
from dlcore.data.crops import BareCrop, TopDownCrop, one_by_one, one_individual
from dlcore.data.images import read_image
from dlcore.data.samples import finish_sample, make_sample
from dlcore.interfaces import GeometricTransform, PoseTask, Record, Sample, Warp
from dlcore.interfaces.geometry import invert, transform_points

RNG = np.random.default_rng(0)


def sample(box, size=(200, 100), keypoints=((60.0, 30.0, 2.0),)):
    width, height = size
    image = np.random.default_rng(1).integers(1, 255, (height, width, 3), dtype=np.uint8)
    return Sample(
        image=image,
        keypoints=np.array([keypoints], np.float32),
        unique_keypoints=np.zeros((0, 3), np.float32),
        boxes=np.array([box], np.float32),
        individual_ids=np.zeros(1, np.int64),
        to_network=np.eye(2, 3),
    )


# box, output, margin, offset, scale: the reference's own figures
TABLE = [
    ((50, 20, 40, 20), (256, 256), 0, (50, 10), (0.15625, 0.15625)),
    ((0, 0, 40, 20), (256, 256), 0, (0, -10), (0.15625, 0.15625)),
    ((50, 20, 40, 20), (288, 384), 0, (50, 3), (0.13889, 0.140625)),
    ((50, 20, 40, 20), (256, 256), 10, (40, 0), (0.234375, 0.234375)),
    ((180, 90, 20, 10), (64, 64), 5, (175, 80), (0.46875, 0.46875)),
    # half pixels, which float32 does not hold: 87.5 and 114.5
    ((96.31, 116.45, 60.69, 78.31), (256, 256), 0, (88, 116), (78 / 256, 79 / 256)),
    ((91.68, 45.88, 60.34, 68.62), (256, 256), 0, (88, 46), (68 / 256, 68 / 256)),
]


@pytest.mark.parametrize(("box", "size", "margin", "offset", "scale"), TABLE)
def test_cuts_where_the_reference_cuts(box, size, margin, offset, scale):
    crop = TopDownCrop(size, margin=margin)(sample(box), RNG)

    assert crop.image.shape == (size[1], size[0], 3)
    back = invert(crop.to_network)
    np.testing.assert_allclose(back[:, 2], offset, atol=1e-9)
    np.testing.assert_allclose([back[0, 0], back[1, 1]], scale, atol=1e-5)


class Turn(GeometricTransform):
    order = 40.0

    def warp(self, sample, size, rng):
        angle, factor = rng.uniform(-1, 1), rng.uniform(0.7, 1.4)
        turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array(size) / 2
        return Warp(np.column_stack([turn, centre - turn @ centre]), size)


@pytest.mark.parametrize("crop", [TopDownCrop((64, 96), margin=4), BareCrop((64, 96), margin=4)])
def test_coordinates_go_back_to_the_image_after_random_geometry(crop):
    rng = np.random.default_rng(3)
    chain = TransformChain([crop, Turn()])
    for _ in range(50):
        start = sample((50, 20, 60, 40), keypoints=((60.5, 30.25, 2.0), (99.0, 55.0, 2.0)))
        original = start.keypoints.copy()

        end = chain(start, rng)

        back = transform_points(end.keypoints, invert(end.to_network))
        np.testing.assert_allclose(back, original, atol=1e-3)


def test_a_dot_is_where_its_keypoint_says():
    start = sample((40, 20, 60, 40), keypoints=((70.5, 40.5, 2.0),))
    start.image[:] = 0
    start.image[40, 70] = 255

    end = TransformChain([TopDownCrop((128, 128)), Turn()])(start, np.random.default_rng(5))

    rows, columns = np.nonzero(end.image[..., 0] > 60)
    dot = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    assert np.abs(dot - end.keypoints[0, 0, :2]).max() < 0.6


def test_a_crop_without_context_is_black_beyond_the_box():
    start = sample((50, 20, 40, 20))
    end = BareCrop((256, 256))(start, RNG)

    assert (end.image[:60] == 0).all()
    assert (end.image[-60:] == 0).all()
    assert (end.image[70:-70] > 0).all()


def test_a_box_without_area_gives_a_black_image_without_keypoints():
    end = finish_sample(TopDownCrop((32, 32))(sample((50, 20, 0, 0)), RNG))

    assert (end.image == 0).all()
    assert (end.keypoints[..., 2] == 0).all()


def record(keypoints, boxes=None):
    count = len(keypoints)
    return Record(
        image=Path("x.png"),
        size=(200, 100),
        keypoints=np.array(keypoints, np.float32),
        unique_keypoints=np.ones((2, 3), np.float32),
        individual_ids=np.arange(count),
        boxes=boxes,
    )


def test_each_labelled_individual_is_a_record_of_its_own():
    found = one_by_one(
        [record([[[10, 10, 2], [30, 20, 2]], [[0, 0, 0], [0, 0, 0]], [[90, 50, 2], [80, 40, 2]]])],
        margin=5,
    )

    assert [r.keypoints[0, 0, 0] for r in found] == [10, 90]
    np.testing.assert_array_equal(found[0].boxes, [[5, 5, 30, 20]])
    assert all(r.keypoints.shape == (1, 2, 3) and len(r.unique_keypoints) == 0 for r in found)


def test_given_boxes_are_taken_and_empty_ones_left_out():
    boxes = np.array([[1, 2, 30, 40], [0, 0, 0, 0]], np.float32)
    found = one_by_one([record([[[10, 10, 2]], [[20, 20, 2]]], boxes)], margin=5)

    assert len(found) == 1
    np.testing.assert_array_equal(found[0].boxes, boxes[:1])


OUTSIDE, COVERING = [205.0, 10, 30, 40], [-10.0, -10, 400, 300]


@pytest.mark.parametrize(
    ("box", "taken"),
    [
        (OUTSIDE, False),
        ([10.0, -50, 30, 50], False),
        ([10.0, 10, 0, 40], False),
        ([10.0, 10, -5, 40], False),
        ([np.nan, 10, 30, 40], False),
        ([10.0, 10, 30, np.nan], False),
        (COVERING, True),
        ([-5.0, 10, 20, 40], True),
    ],
)
def test_only_boxes_with_an_area_inside_the_image_are_cut_out(box, taken):
    found = one_by_one([record([[[10, 10, 2]]], np.array([box], np.float32))], margin=5)

    assert len(found) == taken
    if taken:
        assert found[0].boxes.tolist() == [box]


def test_a_box_that_covers_all_gives_a_crop_of_all():
    crop = TopDownCrop((64, 32))(sample([0.0, 0, 200, 100]), RNG)

    np.testing.assert_allclose(crop.to_network, [[0.32, 0, 0], [0, 0.32, 0]])
    assert crop.boxes.tolist() == [[0, 0, 64, 32]]


def test_images_without_animals_give_no_crops():
    nobody = record(np.zeros((0, 1, 3)))

    assert one_by_one([nobody, record([[[10, 10, 0]]])], margin=5) == []


def test_a_crop_makes_a_sample_of_a_record():
    task = one_individual(PoseTask(("a", "b"), ("u",), ("i", "j")))
    [one] = one_by_one([record([[[60, 40, 2], [100, 60, 2]]])], margin=10)
    image = np.full((100, 200, 3), 7, np.uint8)

    made = finish_sample(TopDownCrop((64, 64))(make_sample(one, image, task, 10), RNG))

    assert made.image.shape == (64, 64, 3)
    assert (made.keypoints[..., 2] == 2).all()
    assert task.num_individuals == 1


REFERENCE = ["inside", "margin", "left_edge", "corner", "tall_output", "whole", "no_context"]


@pytest.mark.parametrize("name", REFERENCE)
def test_equals_the_crops_of_the_reference(shared, name):
    folder = shared / "peer" / "reference" / "augmentation"
    case = json.loads((folder / "augmentation.json").read_text())[f"crop/{name}"]
    expected = np.load(folder / "augmentation.npz")[f"crop/{name}"].astype(int)
    start = sample(case["bbox_xywh"])
    start.image = read_image(folder / "image.png")
    kind = TopDownCrop if case["crop_with_context"] else BareCrop

    end = kind(tuple(case["output_wh"]), margin=case["margin"])(start, RNG)

    back = invert(end.to_network)
    np.testing.assert_allclose(back[:, 2], case["offset_xy"], atol=1e-6)
    np.testing.assert_allclose([back[0, 0], back[1, 1]], case["scale_xy"], atol=1e-6)
    # at the rim of the crop the reference repeats pixels, where the image goes on here
    inner = np.abs(end.image.astype(int) - expected)[2:-2, 2:-2]
    assert np.median(inner) <= 1
    assert inner.mean() < 1.5
