"""Which limbs a new model learns: all of them while they are few, as DeepLabCut does."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask

_MANY_EDGES = 105
_EDGES_PER_KEYPOINT = 3
_SEED = 0

Edge = tuple[int, int]


def paf_graph(task: PoseTask) -> list[list[int]]:
    """Pairs of keypoints that get a part affinity field, each with the smaller index first.

    Up to 14 keypoints these are all pairs. With more, they are three times as many as there are
    keypoints: the limbs of the skeleton, then others at random, so that every keypoint is joined
    with every other, if not directly. The same keypoints always give the same graph.

    Raises:
        DlcoreError: If there is a single keypoint, hence no limb.
    """
    keypoints = task.num_keypoints
    if keypoints < 2:
        raise DlcoreError(
            "part affinity fields tell individuals apart by their limbs, and one keypoint has "
            "none; choose a net type that finds individuals by their boxes or centres, such as "
            "'top_down_resnet_50' or 'dekr_w18'"
        )
    pairs = list(combinations(range(keypoints), 2))
    if len(pairs) >= _MANY_EDGES:
        random.Random(_SEED).shuffle(pairs)
        skeleton = {(min(limb), max(limb)) for limb in task.skeleton}
        pairs.sort(key=lambda pair: pair not in skeleton)
        tree = _spanning_tree(pairs, keypoints)
        others = [pair for pair in pairs if pair not in tree]
        pairs = sorted([*tree, *others[: _EDGES_PER_KEYPOINT * keypoints - len(tree)]])
    return [list(pair) for pair in pairs]


def _spanning_tree(pairs: Iterable[Edge], keypoints: int) -> list[Edge]:
    """The first pairs that join what no pair before them joined."""
    group = list(range(keypoints))
    tree = []
    for a, b in pairs:
        if group[a] != group[b]:
            tree.append((a, b))
            group = [group[a] if g == group[b] else g for g in group]
    return tree
