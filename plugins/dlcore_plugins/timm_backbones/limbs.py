"""Which limbs a network learns, to join keypoints into individuals."""

from __future__ import annotations

from itertools import combinations

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask

_FEW = 8
"""Up to so many keypoints, every pair is a limb."""
_NEIGHBOURS = 3


def limbs(name: str, task: PoseTask) -> list[list[int]]:
    """Pairs of keypoints that get a part affinity field, the smaller index first.

    All pairs while there are few keypoints: an individual is then found although several are
    hidden. With more, each keypoint is joined with the three that follow it in the list (the first
    follow the last), and the limbs of the skeleton are added.

    Args:
        name: The net type, for errors.
        task: What is to be found.

    Raises:
        DlcoreError: If there is a single keypoint, hence no limb.
    """
    count = task.num_keypoints
    if count < 2:
        raise DlcoreError(
            f"net type {name!r} tells individuals apart by their limbs, and one keypoint has none; "
            f"choose one that finds individuals by their boxes or centres, such as "
            f"'simcc_dinov2_s' or 'dekr_w18'"
        )
    if count <= _FEW:
        return [list(pair) for pair in combinations(range(count), 2)]
    pairs = {
        _sorted(index, (index + step) % count)
        for index in range(count)
        for step in range(1, _NEIGHBOURS + 1)
    }
    pairs |= {_sorted(*limb) for limb in task.skeleton}
    return [list(pair) for pair in sorted(pairs)]


def _sorted(first: int, second: int) -> tuple[int, int]:
    return min(first, second), max(first, second)
