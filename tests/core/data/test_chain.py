"""Promises about the chain: its own order, one warp for neighbours, inference without chance."""

from __future__ import annotations

import numpy as np
import pytest

from dlcore.data import chain as module
from dlcore.data.chain import TransformChain
from dlcore.interfaces import GeometricTransform, Transform, Warp
from dlcore.interfaces.geometry import apply_warps, translation
from tests.dots import dotted_sample


class Named(Transform):
    def __init__(self, name: str, order: float) -> None:
        self.name, self.order = name, order

    def __call__(self, sample, rng):
        sample.individual_ids = np.append(sample.individual_ids, ord(self.name))
        return sample


class Shift(GeometricTransform):
    def __init__(self, order: float) -> None:
        self.order = order

    def warp(self, sample, size, rng):
        return Warp(translation(0.25, 0), size)


class ShiftAndBlacken(Shift):
    """A warp that does more than warping, and so must not be joined."""

    def __call__(self, sample, rng):
        sample = super().__call__(sample, rng)
        sample.image = np.zeros_like(sample.image)
        return sample


class Chancy(Named):
    def for_inference(self) -> Transform:
        return Named("f", self.order)


@pytest.fixture
def warped_together(monkeypatch):
    counts = []

    def counting(transforms, sample, rng):
        counts.append(len(transforms))
        return apply_warps(transforms, sample, rng)

    monkeypatch.setattr(module, "apply_warps", counting)
    return counts


def names_after(chain: TransformChain) -> str:
    sample = chain(dotted_sample(), np.random.default_rng(0))
    return "".join(chr(code) for code in sample.individual_ids[1:])


def test_transforms_are_applied_in_their_own_order():
    chain = TransformChain([Named("c", 30), Named("a", 10), Named("b", 20), Named("d", 30.5)])

    assert names_after(chain) == "abcd"


def test_neighbouring_warps_are_joined(warped_together):
    chain = TransformChain([Shift(1), Shift(2), Named("x", 3), Shift(4), Shift(5), Shift(6)])

    sample = chain(dotted_sample(), np.random.default_rng(0))

    assert warped_together == [2, 3]
    assert sample.to_network[0, 2] == pytest.approx(5 * 0.25)


def test_a_warp_that_does_more_is_called_by_itself(warped_together):
    chain = TransformChain([Shift(1), ShiftAndBlacken(2), Shift(3)])

    sample = chain(dotted_sample(), np.random.default_rng(0))

    assert warped_together == [1, 1]
    assert not sample.image.any()


def test_for_inference_transforms_are_replaced():
    assert names_after(TransformChain([Chancy("c", 1), Named("n", 2)])) == "cn"
    assert names_after(TransformChain([Chancy("c", 1), Named("n", 2)], inference=True)) == "fn"


def test_an_empty_chain_changes_nothing():
    sample = TransformChain()(dotted_sample(), np.random.default_rng(0))

    np.testing.assert_array_equal(sample.image, dotted_sample().image)
