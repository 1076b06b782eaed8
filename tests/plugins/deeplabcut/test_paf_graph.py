"""The limbs of a new model: all pairs while they are few, else a connected choice."""

from itertools import combinations

import pytest

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask
from dlcore_plugins.deeplabcut.paf_graph import paf_graph


def task_of(keypoints, skeleton=()):
    return PoseTask(tuple(f"k{i}" for i in range(keypoints)), skeleton=tuple(skeleton))


def reached(graph):
    """The keypoints that can be reached from the first."""
    found = {0}
    for _ in graph:
        found |= {k for edge in graph if found & set(edge) for k in edge}
    return found


@pytest.mark.parametrize("keypoints", [2, 6, 14])
def test_a_few_keypoints_are_joined_each_with_each(keypoints):
    graph = paf_graph(task_of(keypoints))

    assert graph == [list(pair) for pair in combinations(range(keypoints), 2)]


@pytest.mark.parametrize(("keypoints", "edges"), [(15, 45), (16, 48), (24, 72)])
def test_many_keypoints_are_joined_by_three_edges_each(keypoints, edges):
    graph = paf_graph(task_of(keypoints))

    assert len(graph) == len({tuple(edge) for edge in graph}) == edges
    assert all(a < b for a, b in graph)
    assert reached(graph) == set(range(keypoints))


def test_the_limbs_of_the_skeleton_are_among_them():
    skeleton = [(k + 1, k) for k in range(19)]

    graph = paf_graph(task_of(20, skeleton))

    assert len(graph) == 60
    assert all([b, a] in graph for a, b in skeleton)


def test_the_same_keypoints_give_the_same_graph():
    assert paf_graph(task_of(18)) == paf_graph(task_of(18))


def test_one_keypoint_has_no_limb():
    with pytest.raises(DlcoreError, match="one keypoint has none"):
        paf_graph(task_of(1))
