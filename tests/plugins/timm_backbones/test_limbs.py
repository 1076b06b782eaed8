from __future__ import annotations

from itertools import combinations

import pytest

from dlcore import DlcoreError
from dlcore.interfaces import PoseTask
from dlcore_plugins.timm_backbones.limbs import limbs


def task(count, skeleton=()):
    return PoseTask(tuple(f"k{i}" for i in range(count)), skeleton=skeleton)


def joined(graph, count):
    """Keypoints that can be reached from the first."""
    reached = {0}
    for _ in range(count):
        reached |= {k for edge in graph if reached & set(edge) for k in edge}
    return reached


@pytest.mark.parametrize("count", [2, 3, 8])
def test_few_keypoints_are_all_joined(count):
    assert limbs("net", task(count)) == [list(pair) for pair in combinations(range(count), 2)]


@pytest.mark.parametrize("count", [9, 10, 27])
def test_many_keypoints_have_three_limbs_each_and_none_twice(count):
    graph = limbs("net", task(count))

    assert len(graph) == len({tuple(edge) for edge in graph}) == 3 * count
    assert all(first < second < count for first, second in graph)
    assert joined(graph, count) == set(range(count))


def test_a_skeleton_that_joins_all_is_enough_with_the_ways_past_hidden_keypoints():
    legs = ((0, 1), (2, 1), (0, 3), (3, 4), (0, 5), (5, 6), (0, 7), (7, 8))

    graph = limbs("net", task(9, skeleton=legs))

    past = [[0, 2], [0, 4], [0, 6], [0, 8]]
    assert graph == sorted([[0, 1], [1, 2], *(list(leg) for leg in legs[2:]), *past])


def test_a_skeleton_that_leaves_keypoints_alone_is_added_to_the_limbs():
    graph = limbs("net", task(12, skeleton=((9, 3), (0, 1))))

    assert [3, 9] in graph
    assert graph.count([0, 1]) == 1
    assert graph == sorted(graph)
    assert len(graph) == 3 * 12 + 1


def test_one_keypoint_has_no_limbs():
    with pytest.raises(DlcoreError, match=r"'net' tells individuals apart by their limbs.*'dekr_"):
        limbs("net", task(1))
