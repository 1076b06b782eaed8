"""Affine geometry of samples: one interpolation for a whole chain of warps.

All matrices map continuous pixels: the top-left corner of an image is (0, 0), the centre of its
first pixel (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dlcore.interfaces.transform import GeometricTransform, Warp
from dlcore.interfaces.types import Sample

Matrix = npt.NDArray[np.float64]

_EXACT = 1e-6
_TO_CENTRES = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]], dtype=np.float64)
_FROM_CENTRES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], dtype=np.float64)


def identity() -> Matrix:
    """The (2, 3) matrix that changes nothing."""
    return np.eye(2, 3, dtype=np.float64)


def translation(x: float, y: float) -> Matrix:
    """The (2, 3) matrix that moves by (x, y) pixels."""
    return np.array([[1, 0, x], [0, 1, y]], dtype=np.float64)


def scaling(x: float, y: float) -> Matrix:
    """The (2, 3) matrix that multiplies coordinates by (x, y)."""
    return np.array([[x, 0, 0], [0, y, 0]], dtype=np.float64)


def compose(*matrices: Matrix) -> Matrix:
    """One (2, 3) matrix for several; the last one is applied first."""
    total = np.eye(3)
    for matrix in matrices:
        total = total @ _square(matrix)
    return total[:2]


def invert(matrix: Matrix) -> Matrix:
    """The (2, 3) matrix that undoes `matrix`.

    Raises:
        ValueError: If nothing can undo it, because it flattens the plane.
    """
    if abs(np.linalg.det(matrix[:, :2])) < 1e-12:
        raise ValueError(f"the affine map {matrix.tolist()} cannot be inverted")
    return np.asarray(np.linalg.inv(_square(matrix)), dtype=np.float64)[:2]


def transform_points(points: npt.NDArray[Any], matrix: Matrix) -> npt.NDArray[Any]:
    """Points (..., 2 or more) moved by `matrix`; what follows x and y is kept.

    NaN stays NaN. The result is new and has the type of `points`.
    """
    moved: npt.NDArray[Any] = points.copy()
    moved[..., :2] = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    return moved


def transform_boxes(boxes: npt.NDArray[Any], matrix: Matrix) -> npt.NDArray[Any]:
    """Boxes (..., 4) xywh as the upright hulls of their moved corners; empty boxes stay zero."""
    low, high = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
    corners = np.stack(
        [
            low,
            high,
            np.stack([low[..., 0], high[..., 1]], axis=-1),
            np.stack([high[..., 0], low[..., 1]], axis=-1),
        ],
        axis=-2,
    )
    corners = transform_points(corners, matrix)
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    filled = (boxes[..., 2:] > 0).all(axis=-1, keepdims=True)
    return np.where(filled, np.concatenate([low, high - low], axis=-1), 0).astype(boxes.dtype)


def move_labels(sample: Sample, matrix: Matrix) -> None:
    """Move points, boxes and `to_network` of a sample, in place; the image is not touched."""
    sample.keypoints = transform_points(sample.keypoints, matrix)
    sample.unique_keypoints = transform_points(sample.unique_keypoints, matrix)
    sample.boxes = transform_boxes(sample.boxes, matrix)
    if sample.conditions is not None:
        sample.conditions = transform_points(sample.conditions, matrix)
    sample.to_network = compose(matrix, sample.to_network)


def swap_pairs(points: npt.NDArray[Any], pairs: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
    """Points (..., K, 3) with the members of each pair exchanged, in every individual."""
    if not pairs:
        return points
    order = np.arange(points.shape[-2])
    for first, second in pairs:
        order[first], order[second] = order[second], order[first]
    return points[..., order, :]


def apply_warps(
    transforms: Sequence[GeometricTransform], sample: Sample, rng: np.random.Generator
) -> Sample:
    """Apply geometric transforms one after the other with a single interpolation.

    Content is only cut by the frame of the last one: what one warp moves out of the picture and
    the next one back in is still there.

    Args:
        transforms: In order.
        sample: Changed in place, except its image array.
        rng: Passed to each transform.
    """
    height, width = sample.image.shape[:2]
    size, total = (width, height), None
    for transform in transforms:
        warp = transform.warp(sample, size, rng)
        if warp is not None:
            _apply_to_labels(sample, warp)
            total = warp.matrix if total is None else compose(warp.matrix, total)
            size = warp.size
    if total is not None:
        sample.image = warp_image(sample.image, total, size)
    return sample


def warp_image(
    image: npt.NDArray[np.uint8], matrix: Matrix, size: tuple[int, int], *, smooth: bool = False
) -> npt.NDArray[np.uint8]:
    """An image (H, W, 3) mapped by `matrix` into a frame of (width, height), black outside.

    Interpolation is linear. Flips, whole-pixel moves and plain resizing, of the image or of a part
    of it that ends between pixels, are done without a warp: quicker, and without its rounding to
    1/32 pixel. The result may then share memory with `image`.

    Args:
        image: Not changed.
        matrix: (2, 3), in continuous pixels.
        size: (width, height) of the result.
        smooth: Average over all pixels where plain resizing makes the image smaller.
    """
    done = _warp_upright(image, matrix, size, smooth)
    if done is None:
        done = _enlarge_part(image, matrix, size)
    if done is not None:
        return done
    centres = _TO_CENTRES @ _square(matrix) @ _FROM_CENTRES
    return cv2.warpAffine(  # type: ignore[return-value]
        image, centres[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )


def _apply_to_labels(sample: Sample, warp: Warp) -> None:
    move_labels(sample, warp.matrix)
    sample.keypoints = swap_pairs(sample.keypoints, warp.swaps)
    sample.unique_keypoints = swap_pairs(sample.unique_keypoints, warp.unique_swaps)
    if sample.conditions is not None:
        sample.conditions = swap_pairs(sample.conditions, warp.swaps)


def _warp_upright(
    image: npt.NDArray[np.uint8], matrix: Matrix, size: tuple[int, int], smooth: bool
) -> npt.NDArray[np.uint8] | None:
    """The warp by flipping, resizing to whole pixels and moving by whole pixels, or None."""
    height, width = image.shape[:2]
    (scale_x, shear_x, x), (shear_y, scale_y, y) = matrix.tolist()
    if abs(shear_x) > _EXACT or abs(shear_y) > _EXACT or scale_y <= 0 or scale_x == 0:
        return None
    mirrored = scale_x < 0
    if mirrored:
        scale_x, x = -scale_x, x + scale_x * width
    new_width, new_height = scale_x * width, scale_y * height
    whole = [round(value) for value in (new_width, new_height, x, y)]
    differences = zip((new_width, new_height, x, y), whole, strict=True)
    if any(abs(value - rounded) > _EXACT * max(width, height) for value, rounded in differences):
        return None
    if whole[0] < 1 or whole[1] < 1:
        return None
    if mirrored:
        image = cv2.flip(image, 1)  # type: ignore[assignment]
    if (whole[0], whole[1]) != (width, height):
        shrinks = whole[0] <= width and whole[1] <= height
        method = cv2.INTER_AREA if smooth and shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (whole[0], whole[1]), interpolation=method)  # type: ignore[assignment]
    return _place(image, whole[2], whole[3], size)


def _enlarge_part(
    image: npt.NDArray[np.uint8], matrix: Matrix, size: tuple[int, int]
) -> npt.NDArray[np.uint8] | None:
    """The warp by cutting whole pixels out and resizing them, or None."""
    (scale_x, shear_x, x), (shear_y, scale_y, y) = matrix.tolist()
    if abs(shear_x) > _EXACT or abs(shear_y) > _EXACT or scale_x <= 0 or scale_y <= 0:
        return None
    part = (-x / scale_x, -y / scale_y, size[0] / scale_x, size[1] / scale_y)
    left, top, width, height = (round(value) for value in part)
    largest = max(image.shape[:2])
    whole = zip(part, (left, top, width, height), strict=True)
    if any(abs(value - rounded) > _EXACT * largest for value, rounded in whole):
        return None
    if not (1 <= width <= 4 * largest and 1 <= height <= 4 * largest):
        return None  # mostly black: not worth its memory
    cut = _place(image, -left, -top, (width, height))
    return cv2.resize(cut, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _place(
    image: npt.NDArray[np.uint8], x: int, y: int, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The image with its corner at (x, y) in a black frame: a view where it covers the frame."""
    height, width = image.shape[:2]
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, size[0]), min(y + height, size[1])
    inside = image[max(top - y, 0) : max(bottom - y, 0), max(left - x, 0) : max(right - x, 0)]
    if (left, top, right, bottom) == (0, 0, *size):
        return inside
    frame = np.zeros((size[1], size[0], *image.shape[2:]), dtype=image.dtype)
    if inside.size:
        frame[top:bottom, left:right] = inside
    return frame


def _square(matrix: Matrix) -> Matrix:
    square = np.eye(3)
    square[:2] = matrix
    return square
