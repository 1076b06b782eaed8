"""How far an exported network is from the one in torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from dlcore.inference.export.network import Output

SCORE_TOLERANCE = 0.01
MAP_TOLERANCE = 1e-3
_RARE = 0.01


@dataclass
class Parity:
    """The largest differences in one batch.

    Attributes:
        images: "random" or "real".
        count: Images in the batch.
        size: (width, height) of the images as the network gets them.
        points: Keypoints that were compared.
        pixels: Of places, in pixels; None where nothing is decoded. Far outside the image, where an
            untrained network may see keypoints, it is a fraction of the way there: the image's
            longer side counts as one.
        scores: Of scores; None where nothing is decoded.
        maps: Of other outputs, as a fraction of the largest value if that is above 1; None where
            there are none.
        moved: Keypoints that are elsewhere, with the same score: the best of two places that are
            equally good. They are not in `pixels`.
    """

    images: str
    count: int
    size: tuple[int, int]
    points: int = 0
    pixels: float | None = None
    scores: float | None = None
    maps: float | None = None
    moved: int = 0

    def within(self, tolerance: float) -> bool:
        """Whether the differences are small enough.

        Args:
            tolerance: Of places, in pixels.
        """
        return (
            (self.pixels or 0.0) <= tolerance
            and (self.scores or 0.0) <= SCORE_TOLERANCE
            and (self.maps or 0.0) <= MAP_TOLERANCE
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; infinite differences are text."""
        plain = asdict(self)
        return {k: str(v) if v in (math.inf, -math.inf) else v for k, v in plain.items()}

    def __str__(self) -> str:
        parts = []
        if self.pixels is not None:
            parts.append(f"places {self.pixels:.2g} px, scores {self.scores:.2g}")
        if self.maps is not None:
            parts.append(f"maps {self.maps:.2g}")
        if self.moved:
            parts.append(f"{self.moved} of {self.points} keypoints between equal places")
        width, height = self.size
        return f"{self.count} {self.images} {width}x{height}: {', '.join(parts)}"


def compare(
    images: str,
    size: tuple[int, int],
    reference: Mapping[Output, Tensor],
    found: Mapping[str, Tensor],
    tolerance: float,
) -> Parity:
    """Compare what torch gives for one batch with what an exported network gives.

    Args:
        images: "random" or "real".
        size: (width, height) of the images.
        reference: By torch.
        found: The same by name, of the exported network.
        tolerance: Of places, in pixels.
    """
    count = len(next(iter(reference.values())))
    parity = Parity(images, count, size)
    for output, expected in reference.items():
        given = found[output.name].double()
        expected = expected.double()
        if output.decoded and output.output == "poses":
            _compare_poses(parity, expected, given, tolerance)
        else:
            scale = max(1.0, float(expected.abs().max()))
            parity.maps = max(parity.maps or 0.0, _largest(expected, given) / scale)
    return parity


def _compare_poses(parity: Parity, expected: Tensor, given: Tensor, tolerance: float) -> None:
    if not _comparable(expected, given):
        parity.pixels = parity.scores = math.inf
        return
    apart = (expected - given).nan_to_num(0.0)
    away = expected[..., :2].nan_to_num(0.0).norm(dim=-1) / max(parity.size)
    places = apart[..., :2].norm(dim=-1) / away.clamp(min=2.0).sub(1.0)
    scores = apart[..., 2:].abs().amax(dim=-1)
    moved = (places > tolerance) & (scores <= SCORE_TOLERANCE)
    if int(moved.sum()) <= math.ceil(_RARE * places.numel()):
        parity.moved += int(moved.sum())
        places = places.where(~moved, 0.0)
    parity.points += places.numel()
    parity.pixels = max(parity.pixels or 0.0, float(places.max()))
    parity.scores = max(parity.scores or 0.0, float(scores.max()))


def _largest(expected: Tensor, given: Tensor) -> float:
    if not _comparable(expected, given):
        return math.inf
    return float((expected - given).nan_to_num(0.0).abs().max())


def _comparable(expected: Tensor, given: Tensor) -> bool:
    return expected.shape == given.shape and bool(torch.equal(expected.isnan(), given.isnan()))
