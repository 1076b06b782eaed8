"""Which limbs a network learns, to join keypoints into individuals."""

from __future__ import annotations

from itertools import combinations

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask

_FEW = 8
"""Up to so many keypoints, every pair is a limb."""
_FOLLOWING = 3

Limb = tuple[int, int]


def limbs(name: str, task: PoseTask) -> list[list[int]]:
    """Pairs of keypoints that get a part affinity field, the smaller index first.

    All pairs while there are few keypoints: an individual is then found although several are
    hidden. With more, the limbs of the skeleton and, where a keypoint stands between two others,
    the way past it, in case it is hidden. Where no skeleton joins all keypoints, each keypoint is
    joined with the three that follow it in the list, too; the first follow the last.

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
    neighbours = _neighbours(task)
    pairs = {_sorted(*limb) for limb in task.skeleton}
    pairs |= {_sorted(*both) for both in neighbours if len(both) == 2}
    if not _all_joined(neighbours):
        pairs |= {
            _sorted(index, (index + step) % count)
            for index in range(count)
            for step in range(1, _FOLLOWING + 1)
        }
    return [list(pair) for pair in sorted(pairs)]


def _neighbours(task: PoseTask) -> list[set[int]]:
    """For each keypoint, those that a limb of the skeleton joins with it."""
    found: list[set[int]] = [set() for _ in task.keypoints]
    for first, second in task.skeleton:
        found[first].add(second)
        found[second].add(first)
    return found


def _all_joined(neighbours: list[set[int]]) -> bool:
    """Whether every keypoint can be reached from the first."""
    reached, new = {0}, {0}
    while new:
        new = set().union(*(neighbours[keypoint] for keypoint in new)) - reached
        reached |= new
    return len(reached) == len(neighbours)


def _sorted(first: int, second: int) -> Limb:
    return min(first, second), max(first, second)
