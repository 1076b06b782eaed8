import pytest

from dlcore.testing import fake_task
from dlcore_plugins.paf.graph import check_graph

TASK = fake_task(3)


def test_edges_are_pairs_in_the_order_of_the_graph():
    assert check_graph([[2, 0], [1, 2]], TASK) == [(2, 0), (1, 2)]


def test_a_graph_without_edges_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"at least one edge.* such as top-down"):
        check_graph([], TASK)


@pytest.mark.parametrize("edge", [[0, 3], [1, 1], [0, 1, 2], [0], [-1, 0]])
def test_what_is_no_pair_of_keypoints_is_refused(edge):
    with pytest.raises(ValueError, match=r"from 0 to 2, but its edge 1 is \["):
        check_graph([[0, 1], edge], TASK)
