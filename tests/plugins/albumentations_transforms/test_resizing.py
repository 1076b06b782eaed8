"""Promises about sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dots import HEIGHT, WIDTH, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make

RNG = np.random.default_rng(0)


def white_sample():
    sample = dotted_sample()
    sample.image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    return sample


def test_the_ratio_is_kept_by_black_below_or_on_the_right():
    low = make("resize", height=100, width=48)(white_sample(), RNG).image
    wide = make("resize", height=36, width=100)(white_sample(), RNG).image

    assert low.shape == (100, 48, 3)
    assert (low[:36] == 255).all()
    assert not low[36:].any()
    assert wide.shape == (36, 100, 3)
    assert (wide[:, :48] == 255).all()
    assert not wide[:, 48:].any()


def test_without_the_ratio_the_image_fills_the_frame():
    image = make("resize", height=100, width=48, keep_ratio=False)(white_sample(), RNG).image

    assert image.shape == (100, 48, 3)
    assert (image == 255).all()


@pytest.mark.parametrize(("size", "shape"), [(48, (36, 48, 3)), (192, (144, 192, 3))])
def test_the_longest_side_gets_its_length(size, shape):
    assert make("longest_max_size", size=size)(white_sample(), RNG).image.shape == shape


@pytest.mark.parametrize(
    ("key", "options", "what"),
    [
        ("resize", {"height": 0, "width": 5}, "height must be at least 1, got 0"),
        ("resize", {"height": 5, "width": -1}, "width must be at least 1, got -1"),
        ("longest_max_size", {"size": 0}, "size must be at least 1, got 0"),
    ],
)
def test_sizes_below_one_are_refused(key, options, what):
    with pytest.raises(ValueError, match=what):
        make(key, **options)
