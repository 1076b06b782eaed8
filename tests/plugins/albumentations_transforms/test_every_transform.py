"""Promises that hold for every bundled transform, and for all of them in a row."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from dlcore.config.options import read_options
from dlcore.data.chain import TransformChain
from dlcore.data.samples import finish_sample
from dlcore.interfaces.geometry import transform_points
from tests.dots import PLACES, assert_points_follow_dots, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import COMPONENTS, TASK, make

OPTIONS = {
    "resize": {"height": 100, "width": 90},
    "longest_max_size": {"size": 70},
    "hflip": {"p": 1.0},
    "affine": {"p": 1.0},
    "scale_jitter": {"p": 1.0},
    "random_bbox_transform": {},
    "crop_sampling": {"width": 60, "height": 80, "max_shift": 0.4},
    "hist_eq": {"p": 1.0},
    "motion_blur": {"p": 1.0},
    "covering": {"p": 1.0},
    "elastic_transform": {"p": 1.0},
    "grayscale": {"p": 1.0},
    "gaussian_noise": {"sigma": 20.0, "p": 1.0},
    "auto_padding": {"pad_height_divisor": 32, "pad_width_divisor": 32},
}
ORDER = list(OPTIONS)
MOVE_PIXELS = {
    "stretch": ("resize", {"height": 100, "width": 90, "keep_ratio": False}),
    "pad": ("resize", {"height": 100, "width": 90}),
    "shrink": ("resize", {"height": 60, "width": 60}),
    "longest_max_size": ("longest_max_size", {"size": 120}),
    "hflip": ("hflip", {"p": 1.0, "symmetries": []}),
    "affine by default": ("affine", {"p": 1.0}),
    "affine": ("affine", {"p": 1.0, "rotation": 180, "scaling": [0.6, 1.3], "translation": 9}),
    "scale_jitter": ("scale_jitter", {"p": 1.0}),
    "crop": ("crop_sampling", {"width": 70, "height": 60, "method": "uniform"}),
    "crop at keypoints": ("crop_sampling", {"width": 50, "height": 50, "method": "keypoints"}),
    "pad, then crop": ("crop_sampling", {"width": 64, "height": 100, "method": "density"}),
    "auto_padding": ("auto_padding", {"pad_height_divisor": 32, "pad_width_divisor": 50}),
    "auto_padding, constant": (
        "auto_padding",
        {"pad_height_divisor": 32, "min_width": 150, "border_mode": "constant"},
    ),
}


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy_sample():
    """A sample over noise, whose image may not be written to, as if it came from the cache."""
    sample = dotted_sample()
    sample.image = generator(9).integers(0, 256, sample.image.shape, dtype=np.uint8)
    sample.image.flags.writeable = False
    sample.unique_keypoints = np.array([[10, 10, 2], [np.nan, np.nan, 0]], np.float32)
    return sample


def test_every_key_has_options_here_and_its_place_in_the_chain():
    assert set(OPTIONS) == set(COMPONENTS)
    orders = [make(key, **options).order for key, options in OPTIONS.items()]
    assert orders == sorted(orders)
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize(
    ("key", "option"), [("hflip", "p"), ("longest_max_size", "size"), ("gaussian_noise", "sigma")]
)
def test_a_bare_number_sets_the_option_that_it_means(key, option):
    assert read_options(COMPONENTS[key]).first == option


@pytest.mark.parametrize(("key", "options"), OPTIONS.items(), ids=OPTIONS.keys())
def test_the_same_generator_gives_the_same_sample(key, options):
    transform = make(key, **options)
    first, other = (transform(noisy_sample(), generator(seed)) for seed in (1, 2))

    again = make(key, **options)(noisy_sample(), generator(1))

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.keypoints, again.keypoints)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    if key not in ("resize", "longest_max_size", "hflip", "hist_eq"):
        same_image = np.array_equal(first.image, other.image)
        assert not (same_image and np.array_equal(first.boxes, other.boxes))


@pytest.mark.parametrize(("key", "options"), OPTIONS.items(), ids=OPTIONS.keys())
def test_nothing_is_lost_and_the_given_image_stays(key, options):
    before = noisy_sample()
    pixels = before.image.copy()
    given = before.image

    after = make(key, **options)(before, generator(3))

    np.testing.assert_array_equal(given, pixels)
    assert after.image.dtype == np.uint8
    assert after.image.ndim == 3
    assert after.keypoints.shape == (1, 3, 3)
    assert after.unique_keypoints.shape == (2, 3)
    assert after.keypoints.dtype == after.boxes.dtype == np.float32
    assert after.boxes.shape == (1, 4)
    np.testing.assert_array_equal(after.keypoints[..., 2], 2)
    np.testing.assert_array_equal(after.unique_keypoints[:, 2], [2, 0])
    assert np.isnan(after.unique_keypoints[1, :2]).all()


@pytest.mark.parametrize(("key", "options"), OPTIONS.items(), ids=OPTIONS.keys())
def test_an_image_without_labels_is_transformed_too(key, options):
    empty = noisy_sample()
    empty.keypoints = np.zeros((0, 3, 3), np.float32)
    empty.unique_keypoints = np.zeros((0, 3), np.float32)
    empty.boxes = np.zeros((0, 4), np.float32)

    after = finish_sample(make(key, **options)(empty, generator(3)))

    assert after.keypoints.shape == (0, 3, 3)


@pytest.mark.parametrize(("key", "options"), OPTIONS.items(), ids=OPTIONS.keys())
def test_a_transform_can_be_sent_to_a_spawned_worker(key, options):
    transform = make(key, **options)
    expected = transform(noisy_sample(), generator(4))

    sent = pickle.loads(pickle.dumps(transform))

    np.testing.assert_array_equal(sent(noisy_sample(), generator(4)).image, expected.image)


@pytest.mark.parametrize(
    "key", [key for key, options in OPTIONS.items() if "p" in options], ids=str
)
def test_p_is_how_often(key):
    options = {**OPTIONS[key], "p": 0.0}
    never = make(key, **options)
    sample = never(noisy_sample(), generator(0))
    np.testing.assert_array_equal(sample.image, noisy_sample().image)

    often = make(key, **{**options, "p": 0.7})
    changed = 0
    small = np.ascontiguousarray(noisy_sample().image[:20, :20])
    for seed in range(150):
        sample = noisy_sample()
        sample.image = small
        changed += not np.array_equal(often(sample, generator(seed)).image, small)
    assert 80 < changed < 130  # 105 expected

    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"p must be between 0 and 1, got {wrong}"):
            make(key, **{**options, "p": wrong})


@pytest.mark.parametrize(("key", "options"), MOVE_PIXELS.values(), ids=MOVE_PIXELS.keys())
def test_points_follow_the_pixels_under_random_draws(key, options):
    transform = make(key, **options)
    seen = 0

    for seed in range(25):
        sample = transform(dotted_sample(), generator(seed))
        seen += assert_points_follow_dots(sample, tolerance=0.15)
        np.testing.assert_allclose(
            transform_points(PLACES, sample.to_network), sample.keypoints[0, :, :2], atol=1e-3
        )

    assert seen >= 15


def test_points_follow_the_pixels_through_the_whole_chain():
    transforms = [
        make("affine", rotation=40, scaling=[0.7, 1.3], translation=10),
        make("crop_sampling", width=80, height=70, max_shift=0.1),
        make("hflip", symmetries=[]),
        make("motion_blur"),
        make("auto_padding", pad_height_divisor=32, pad_width_divisor=32, border_mode="constant"),
        make("longest_max_size", size=110),
    ]
    whole = TransformChain(transforms)
    seen = 0

    for seed in range(60):
        sample = whole(dotted_sample(), generator(seed))
        seen += assert_points_follow_dots(sample, tolerance=0.3)
        assert sample.image.shape[0] % 32 == sample.image.shape[1] % 32 == 0

    assert seen > 60


def test_individuals_keep_their_order():
    sample = dotted_sample()
    sample.keypoints = np.repeat(sample.keypoints, 2, axis=0)
    sample.keypoints[1, :, 0] += 5
    sample.boxes = np.repeat(sample.boxes, 2, axis=0)
    still = {key: options for key, options in OPTIONS.items() if key != "covering"}
    del still["elastic_transform"]
    transforms = TransformChain([make(key, **options) for key, options in still.items()])

    after = transforms(sample, generator(1))

    apart = after.keypoints[1, :, :2] - after.keypoints[0, :, :2]
    np.testing.assert_allclose(apart, [5 * after.to_network[:, 0]] * 3, atol=1e-3)
    assert after.boxes.shape == (2, 4)


def test_keypoint_names_without_sides_need_no_symmetries():
    assert make("hflip", TASK).swaps == ()
