"""The graph of limbs: which pairs of keypoints have a part affinity field."""

from __future__ import annotations

from collections.abc import Sequence

from dlcore.interfaces import PoseTask


def check_graph(graph: Sequence[Sequence[int]], task: PoseTask) -> list[tuple[int, int]]:
    """The edges of a graph as pairs of keypoint indices.

    Raises:
        ValueError: If there are none, or one is no pair of keypoints of the task.
    """
    if not graph:
        raise ValueError(
            "graph must have at least one edge: individuals are told apart by the limbs between "
            "keypoints; for one keypoint per individual use another technique, such as top-down"
        )
    last = task.num_keypoints - 1
    edges = []
    for number, edge in enumerate(graph):
        if len(edge) != 2 or edge[0] == edge[1] or not all(0 <= k <= last for k in edge):
            raise ValueError(
                f"graph must hold pairs of different keypoints from 0 to {last}, "
                f"but its edge {number} is {list(edge)}"
            )
        edges.append((edge[0], edge[1]))
    return edges
