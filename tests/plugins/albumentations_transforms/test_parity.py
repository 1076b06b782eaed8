"""Agreement with the recorded outputs of DeepLabCut.

Points: DeepLabCut takes pixel centres for whole numbers in `affine` and `hflip`, and for halves
elsewhere; here they are halves everywhere. So `affine` with the linear part A differs by
(I - A) (0.5, 0.5), `hflip` by (1, 0), and everything else agrees.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcore.data.chain import TransformChain
from dlcore.data.samples import clip_boxes
from dlcore.interfaces import PoseTask, Sample
from dlcore.interfaces.geometry import (
    compose,
    move_labels,
    scaling,
    transform_points,
    translation,
    warp_image,
)
from dlcore_plugins.albumentations_transforms.affine import affine_matrix
from dlcore_plugins.albumentations_transforms.collates import ResizeFromDataSizeCollate
from tests.plugins.albumentations_transforms.pipeline import make

TASK = PoseTask(tuple("abcdefg"))
TRANSFORMS = [
    "resize_keep_ratio",
    "resize_keep_ratio_up",
    "resize_stretch",
    "longest_max_size",
    "hflip",
    "hflip_symmetric",
    "scale_up",
    "scale_down",
    "auto_padding_min",
    *(
        f"auto_padding_{position}_{border}"
        for position in ("center", "top_left", "bottom_right")
        for border in ("constant", "reflect_101")
    ),
]


def assert_images_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal, but for what versions of OpenCV differ in when they interpolate."""
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 6
    assert difference.mean() < 0.1


class Reference:
    """The recorded outputs, and the sample that they were made from."""

    def __init__(self, folder) -> None:
        self.arrays = np.load(folder / "augmentation.npz")
        self.facts = json.loads((folder / "augmentation.json").read_text())

    def sample(self) -> Sample:
        return Sample(
            image=self.arrays["image"],
            keypoints=self.arrays["keypoints"][None].astype(np.float32),
            unique_keypoints=np.zeros((0, 3), np.float32),
            boxes=self.arrays["bboxes"].astype(np.float32),
            individual_ids=np.zeros(1, np.int64),
            to_network=np.eye(2, 3),
        )


@pytest.fixture(scope="module")
def reference(shared) -> Reference:
    return Reference(shared / "peer" / "reference" / "augmentation")


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_gives_the_same(reference, name):
    ((key, options),) = (
        (key, value)
        for key, value in reference.facts[name]["config"].items()
        if key != "normalize_images"
    )
    if not isinstance(options, dict):
        options = {"hflip": {"p": options}, "longest_max_size": {"size": options}}[key]

    sample = TransformChain([make(key, TASK, **options)])(
        reference.sample(), np.random.default_rng(0)
    )

    expected = reference.arrays[f"{name}/image"]
    if options.get("border_mode") == "constant":  # there, the value goes to the red channel only
        assert options["border_value"] == 7
        border = expected != sample.image
        assert set(sample.image[border]) == {7}
        assert not border[..., 0].any()
    else:
        assert_images_agree(sample.image, expected)
    points = sample.keypoints[0, :, :2].astype(np.float64)
    if key == "hflip":
        points -= (1, 0)
    if key == "affine":
        points -= (np.eye(2) - sample.to_network[:, :2]) @ (0.5, 0.5)
    # There, points are scaled by a factor that does not know of the rounding to whole pixels.
    tolerance = 1 if key in ("resize", "longest_max_size") else 1e-4
    np.testing.assert_allclose(points, reference.arrays[f"{name}/keypoints"][:, :2], atol=tolerance)


@pytest.mark.parametrize(
    "name", ["affine_rotate_15", "affine_rotate_minus30", "affine_translate_7", "affine_all"]
)
def test_an_affine_map_gives_the_same(reference, name):
    options = reference.facts[name]["config"]["A.Affine"]
    scale, rotate, shift = (
        options[key][0] if isinstance(options[key], list) else options[key]
        for key in ("scale", "rotate", "translate_px")
    )
    sample = reference.sample()
    height, width = sample.image.shape[:2]
    matrix = affine_matrix((width, height), scale=scale, rotation=rotate, shift=(shift, shift))

    image = warp_image(sample.image, matrix, (width, height))
    move_labels(sample, matrix)

    assert_images_agree(image, reference.arrays[f"{name}/image"])
    points = sample.keypoints[0, :, :2] - (np.eye(2) - matrix[:, :2]) @ (0.5, 0.5)
    np.testing.assert_allclose(points, reference.arrays[f"{name}/keypoints"][:, :2], atol=1e-4)
    boxes = clip_boxes(sample.boxes, (width, height))
    np.testing.assert_allclose(boxes, reference.arrays[f"{name}/bboxes"], atol=1)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_window_starts_at_the_same_pixel(reference, name):
    facts = reference.facts[f"keypoint_crop/{name}"]
    image = reference.arrays["image"]
    window = (facts["width"], facts["height"])
    fractions = {"w_start": facts["w_start"], "h_start": facts["h_start"]}

    class Fractions(np.random.Generator):
        """Gives the fractions of the reference instead of random ones."""

        def random(self, *_):
            return np.array([fractions["w_start"], fractions["h_start"]])

    crop = make("crop_sampling", TASK, width=window[0], height=window[1], method="uniform")

    after = crop(reference.sample(), Fractions(np.random.PCG64(0)))

    np.testing.assert_array_equal(after.image, reference.arrays[f"keypoint_crop/{name}/image"])
    assert image.shape == (119, 161, 3)
    expected = reference.arrays[f"keypoint_crop/{name}/keypoints"]
    kept = ~np.isnan(expected[:, 0])
    np.testing.assert_allclose(after.keypoints[0, kept, :2], expected[kept], atol=1e-4)


@pytest.mark.parametrize("name", ["square", "square_max", "pair", "pair_shift", "bigger"])
def test_a_collate_resizes_the_same(reference, name):
    """Antialiasing differs in detail: another library resizes there."""
    facts = reference.facts[f"collate/{name}"]
    expected = reference.arrays[f"collate/{name}/image"].transpose(1, 2, 0)
    factors, offset = 1 / np.array(facts["scales_xy"]), -np.array(facts["offsets_xy"])
    matrix = compose(translation(*offset), scaling(*factors))

    image = warp_image(reference.arrays["image"], matrix, expected.shape[1::-1], smooth=True)

    difference = np.abs(image.astype(int) - expected)
    assert difference.max() <= 10
    assert difference.mean() < 0.25
    points = transform_points(reference.arrays["keypoints"], matrix)[:, :2]
    recorded = reference.arrays[f"collate/{name}/annotations/keypoints"][0]
    inside = recorded[:, 2] > 0
    np.testing.assert_allclose(points[inside], recorded[inside, :2], atol=1e-3)


def test_a_collate_draws_sizes_within_the_same_limits(reference):
    facts = reference.facts["collate_sizes/ResizeFromDataSizeCollate_41"]
    options = {key: value for key, value in facts["config"].items() if key != "type"}
    collate = ResizeFromDataSizeCollate(**options)
    size = tuple(facts["first_image_hw"][::-1])

    ours = {collate.target_size(size, np.random.default_rng(seed))[::-1] for seed in range(3000)}

    assert {tuple(theirs) for theirs in facts["sizes"]} <= ours
