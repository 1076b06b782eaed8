"""Images with one soft dot per colour channel: where a dot is found, its keypoint should be."""

from __future__ import annotations

import numpy as np

from dlcore.interfaces import Sample

WIDTH, HEIGHT = 96, 72
PLACES = np.array([[30.5, 20.25], [60.75, 40.0], [45.0, 55.5]])
RADIUS = 2.5


def dotted_sample(radius: float = RADIUS) -> Sample:
    """One individual with three keypoints, each a dot in a channel of its own."""
    columns, rows = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel, (x, y) in enumerate(PLACES):
        distances = (columns - x) ** 2 + (rows - y) ** 2
        image[..., channel] = np.round(255 * np.exp(-distances / (2 * radius**2)))
    keypoints = np.concatenate([PLACES, np.full((3, 1), 2)], axis=1)[None].astype(np.float32)
    low, high = PLACES.min(0), PLACES.max(0)
    return Sample(
        image=image,
        keypoints=keypoints,
        unique_keypoints=np.zeros((0, 3), np.float32),
        boxes=np.concatenate([low, high - low])[None].astype(np.float32),
        individual_ids=np.zeros(1, np.int64),
        to_network=np.eye(2, 3),
    )


def find_dots(image: np.ndarray, mass: float = 0.0) -> np.ndarray:
    """Centres (3, 2) of the dots; NaN where one is cut by the border or lighter than `mass`."""
    height, width = image.shape[:2]
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    centres = []
    for channel in range(3):
        values = image[..., channel].astype(np.float64)
        values[values < 8] = 0  # rounding and interpolation leave a faint rim
        border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
        total = values.sum()
        if total <= mass or border.any():
            centres.append((np.nan, np.nan))
        else:
            centres.append(((values * columns).sum() / total, (values * rows).sum() / total))
    return np.array(centres)


def assert_points_follow_dots(
    sample: Sample, tolerance: float = 0.1, radius: float = RADIUS
) -> int:
    """Compare keypoints with the dots that no crop has cut.

    Returns:
        How many dots were seen.
    """
    whole = 255 * 2 * np.pi * radius**2 * abs(np.linalg.det(sample.to_network[:, :2]))
    found = find_dots(sample.image, 0.93 * whole)
    seen = ~np.isnan(found[:, 0])
    np.testing.assert_allclose(sample.keypoints[0, seen, :2], found[seen], atol=tolerance)
    return int(seen.sum())
