"""Promises about padding: sizes, places, borders, and no chance at inference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dots import HEIGHT, WIDTH, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import chain, make

DIVISORS = {"pad_height_divisor": 32, "pad_width_divisor": 50}  # 72x96 becomes 96x100
RIGHT, BELOW = 4, 24


def offset(position, seed=0, inference=False):
    transforms = chain(auto_padding={**DIVISORS, "position": position}, inference=inference)
    after = transforms(dotted_sample(), np.random.default_rng(seed))
    assert after.image.shape == (96, 100, 3)
    return tuple(after.to_network[:, 2].astype(int))


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("top_left", (0, 0)),
        ("top_right", (RIGHT, 0)),
        ("bottom_left", (0, BELOW)),
        ("bottom_right", (RIGHT, BELOW)),
        ("center", (RIGHT // 2, BELOW // 2)),
    ],
)
def test_the_image_lies_where_it_should(position, expected):
    assert offset(position) == expected


@pytest.mark.parametrize("position", ["random", None])
def test_in_training_the_image_lies_anywhere(position):
    places = {offset(position, seed) for seed in range(200)}

    assert {x for x, _ in places} == set(range(RIGHT + 1))
    assert {y for _, y in places} == set(range(BELOW + 1))


def test_at_inference_the_image_lies_at_the_top_left_unless_told():
    assert {offset(None, seed, inference=True) for seed in range(10)} == {(0, 0)}
    assert offset("bottom_right", inference=True) == (RIGHT, BELOW)
    assert len({offset("random", seed, inference=True) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (WIDTH, HEIGHT)),
        ({"pad_height_divisor": 24, "pad_width_divisor": 12}, (WIDTH, HEIGHT)),
        ({"min_height": 80, "pad_height_divisor": None}, (WIDTH, 80)),
        ({"min_height": 50, "min_width": 200}, (200, HEIGHT)),
        ({"min_width": 100, "pad_width_divisor": 32}, (128, HEIGHT)),
    ],
)
def test_sizes_are_large_enough_and_multiples(options, size):
    after = make("auto_padding", **options)(dotted_sample(), np.random.default_rng(0))

    assert after.image.shape[1::-1] == size


def test_the_border_mirrors_the_image_or_has_its_colour():
    mirrored = make("auto_padding", **DIVISORS, position="top_left")
    coloured = make(
        "auto_padding", **DIVISORS, position="top_left", border_mode="constant", border_value=9
    )
    three = make("auto_padding", **DIVISORS, border_mode="constant", border_value=[1, 2, 3])
    sample = dotted_sample()
    sample.image = np.random.default_rng(0).integers(20, 256, sample.image.shape, dtype=np.uint8)
    original = sample.image
    rng = np.random.default_rng(0)

    image = mirrored(sample, rng).image
    np.testing.assert_array_equal(image[:HEIGHT, WIDTH:], original[:, -2 : -2 - RIGHT : -1])
    np.testing.assert_array_equal(image[HEIGHT:, :WIDTH], original[-2 : -2 - BELOW : -1])
    assert (coloured(dotted_sample(), rng).image[HEIGHT:] == 9).all()
    border = three(dotted_sample(), rng).image.reshape(-1, 3)
    assert (border == (1, 2, 3)).all(axis=1).sum() == 96 * 100 - WIDTH * HEIGHT


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"pad_height_divisor": 0}, "pad_height_divisor must be at least 1, got 0"),
        ({"min_width": -4}, "min_width must be at least 1, got -4"),
        ({"border_value": [1, 2]}, r"border_value must be one number or three, got \[1, 2\]"),
    ],
)
def test_wrong_options_are_refused(options, what):
    with pytest.raises(ValueError, match=what):
        make("auto_padding", **options)
