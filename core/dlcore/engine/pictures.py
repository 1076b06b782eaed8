"""Pictures of what a model makes of an image: keypoints, the maps of its heads, boxes.

Everything is drawn in pixels of the network's input, on the image as the network sees it.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcore.interfaces import Target

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

SMALLEST_SIDE, LARGEST_SIDE = 256, 1024
"""The longer side of a picture in pixels: smaller images are enlarged, larger ones reduced."""

TRUTH, FOUND = (90, 220, 90), (255, 150, 40)
CONFIDENT = 0.6
"""Predictions of a lower score are drawn thinly."""

_CAPTION_HEIGHT = 18
_CHARACTER_WIDTH = 7
_SHIFT = 4  # bits of sub-pixel precision in OpenCV's drawing


class Points(NamedTuple):
    """Keypoints of one kind in one image.

    Attributes:
        truth: (N, K, 3) x, y, visibility.
        found: (M, K, 3 or more) x, y, score, ...; those missing are NaN or score below 0.
        skeleton: Pairs of indices of keypoints between which the truth is joined.
    """

    truth: Array
    found: Array
    skeleton: Sequence[tuple[int, int]] = ()


class Boxes(NamedTuple):
    """Boxes of one image.

    Attributes:
        truth: (N, 4) x, y, width, height; those without an area are left out.
        found: (M, 4) likewise.
        scores: (M,)
    """

    truth: Array
    found: Array
    scores: Array


def draw_points(image: Image, *kinds: Points) -> Image:
    """Draw labelled keypoints as rings and predicted ones as crosses of the same colour.

    Args:
        image: (H, W, 3).
        kinds: What to draw on it.
    """
    picture, scale = _fitted(image)
    _mark(picture, scale, kinds)
    return _with_caption(picture, "rings: labels, crosses: predictions")


def draw_sample(image: Image, kinds: Sequence[Points], boxes: Array, caption: str) -> Image:
    """Draw what is known of an image: labels as rings and green boxes, rough poses as crosses.

    Args:
        image: (H, W, 3).
        kinds: Labelled keypoints, and rough ones as those found.
        boxes: (N, 4) x, y, width, height; those without an area are left out.
        caption: What to write below; cut to the width.
    """
    picture, scale = _fitted(image)
    for box in boxes[(boxes[:, 2:] > 0).all(axis=1)]:
        _rectangle(picture, box, scale, TRUTH)
    _mark(picture, scale, kinds)
    return _with_caption(picture, caption[: max(picture.shape[1] // _CHARACTER_WIDTH, 1)])


def _mark(picture: Image, scale: float, kinds: Sequence[Points]) -> None:
    """Draw keypoints on a picture of `scale` pixels per pixel of the image."""
    for points in kinds:
        colours = _hues(points.truth.shape[1] if points.truth.size else points.found.shape[1])
        for individual in points.truth:
            labelled = individual[:, 2] > 0
            places = _fixed(individual[:, :2], scale)
            for first, second in points.skeleton:
                if labelled[first] and labelled[second]:
                    _line(picture, places[first], places[second], (200, 200, 200), 1)
            for place, colour in zip(places[labelled], colours[labelled], strict=True):
                _ring(picture, place, colour)
        for individual in points.found:
            sound = np.isfinite(individual[:, :3]).all(axis=1) & (individual[:, 2] >= 0)
            places = _fixed(individual[:, :2], scale)
            for place, colour, score in zip(
                places[sound], colours[sound], individual[sound, 2], strict=True
            ):
                _cross(picture, place, colour, bold=bool(score >= CONFIDENT))


def draw_maps(image: Image, stride: float, output: Tensor, target: Target) -> Image:
    """Draw a target and beside it what was predicted, both over the greyish image.

    Each cell has the hue of its strongest channel, and is the more opaque the larger its value is
    compared with the largest of the target. Cells without weight are left out of both.

    Args:
        image: (H, W, 3).
        stride: Pixels of the image per cell.
        output: (C, h, w), on the scale of the target.
        target: Tensors of the same shape, or that broadcast to it.
    """
    counted: Tensor | float = 1.0
    if isinstance(target.weights, Tensor):
        counted = target.weights.broadcast_to(output.shape) > 0
    expected = (target.target * counted).abs()
    largest = expected.amax()
    scale = torch.where(largest > 0, largest, 1.0)
    # Reduced on the device: one small copy, whatever the number of channels.
    strength, channel = torch.stack([expected, (output * counted).abs()]).max(dim=1)
    share = (strength / scale).nan_to_num(0).clamp(0, 1)
    folded = torch.stack([share, channel.to(share.dtype)]).float().cpu().numpy()
    hues = _hues(len(output))
    panels = [
        _with_caption(_over(image, stride, share, hues[channel.astype(int)]), caption)
        for share, channel, caption in zip(*folded, ("target", "prediction"), strict=True)
    ]
    return np.concatenate(panels, axis=1)


def draw_boxes(image: Image, boxes: Boxes) -> Image:
    """Draw true boxes and found ones, these with their scores.

    Found ones are left out that are neither likely nor among the best as many as there are true
    ones: detectors give a hundred or more.

    Args:
        image: (H, W, 3).
        boxes: What to draw on it.
    """
    picture, scale = _fitted(image)
    true = boxes.truth[(boxes.truth[:, 2:] > 0).all(axis=1)]
    for box in true:
        _rectangle(picture, box, scale, TRUTH)
    order = np.argsort(-boxes.scores, kind="stable")
    for place, number in enumerate(order):
        if place < max(len(true), 1) or boxes.scores[number] >= CONFIDENT:
            x, y = _rectangle(picture, boxes.found[number], scale, FOUND)
            _text(picture, f"{boxes.scores[number]:.2f}", (x + 2, y + 11), FOUND)
    return _with_caption(picture, "green: labels, orange: predictions")


def _fitted(image: Image) -> tuple[Image, float]:
    """A copy of a size that people can look at, and its pixels per pixel of the image."""
    height, width = image.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, SMALLEST_SIDE), LARGEST_SIDE) / longest
    if scale == 1:
        return image.copy(), 1.0
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _bytes(cv2.resize(image, size, interpolation=method)), scale


def _over(image: Image, stride: float, share: Array, colours: npt.NDArray[np.uint8]) -> Image:
    """Coloured cells over the image, as opaque as their share."""
    picture, scale = _fitted(image)
    height, width = picture.shape[:2]
    rows, columns = share.shape
    # Cells may reach beyond the image, or not to its edge.
    size = (max(round(columns * stride * scale), 1), max(round(rows * stride * scale), 1))
    opacity = np.zeros((height, width, 1), np.float32)
    colour = np.zeros((height, width, 3), np.float32)
    large = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    opacity[: large.shape[0], : large.shape[1], 0] = large
    large = cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
    colour[: large.shape[0], : large.shape[1]] = large
    grey = picture.mean(axis=2, keepdims=True) * 0.6
    return _bytes(grey * (1 - opacity) + colour * opacity)


def _hues(count: int) -> npt.NDArray[np.uint8]:
    """(count, 3) bright colours, evenly around the circle."""
    hues = [colorsys.hsv_to_rgb(i / max(count, 1), 0.85, 1.0) for i in range(count)]
    return _bytes(255 * np.array(hues).reshape(count, 3))


def _bytes(values: Any) -> npt.NDArray[np.uint8]:
    converted: npt.NDArray[np.uint8] = np.asarray(values).astype(np.uint8)
    return converted


def _fixed(points: Array, scale: float) -> npt.NDArray[np.int32]:
    """Pixels, with (0.5, 0.5) the centre of the first, to OpenCV's fixed point; NaN is far off."""
    finite = np.nan_to_num(points * scale - 0.5, nan=-1e4, posinf=1e4, neginf=-1e4)
    fixed: npt.NDArray[np.int32] = np.round(finite.clip(-1e4, 1e4) * 2**_SHIFT).astype(np.int32)
    return fixed


def _ring(picture: Image, place: npt.NDArray[np.int32], colour: npt.NDArray[np.uint8]) -> None:
    for radius, shade in ((6, (0, 0, 0)), (5, _plain(colour))):
        cv2.circle(
            picture, _pair(place), radius << _SHIFT, shade, 1, cv2.LINE_AA, _SHIFT
        )  # fmt: skip


def _cross(
    picture: Image, place: npt.NDArray[np.int32], colour: npt.NDArray[np.uint8], *, bold: bool
) -> None:
    arm = 4 << _SHIFT
    for across in (np.array([arm, arm]), np.array([arm, -arm])):
        if bold:
            _line(picture, place - across, place + across, (0, 0, 0), 3)
        _line(picture, place - across, place + across, _plain(colour), 2 if bold else 1)


def _line(picture: Image, start: Any, end: Any, colour: Colour, width: int) -> None:
    cv2.line(picture, _pair(start), _pair(end), colour, width, cv2.LINE_AA, _SHIFT)


def _rectangle(picture: Image, box: Array, scale: float, colour: Colour) -> tuple[int, int]:
    """Draws a box (4,) x, y, width, height, and gives its corner in the picture."""
    low = np.round(box[:2] * scale).clip(-1e4, 1e4).astype(int)
    high = np.round((box[:2] + box[2:]) * scale).clip(-1e4, 1e4).astype(int) - 1
    cv2.rectangle(picture, _pair(low), _pair(high), colour, 2)
    return _pair(low)


def _with_caption(picture: Image, text: str) -> Image:
    strip = np.zeros((_CAPTION_HEIGHT, picture.shape[1], 3), np.uint8)
    _text(strip, text, (4, _CAPTION_HEIGHT - 5), (230, 230, 230))
    return np.concatenate([picture, strip])


def _text(picture: Image, text: str, place: tuple[int, int], colour: Colour) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)


def _pair(values: Any) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _plain(colour: npt.NDArray[np.uint8]) -> Colour:
    return int(colour[0]), int(colour[1]), int(colour[2])
