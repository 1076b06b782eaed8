"""Which batches make one step of the optimizer, and what each counts for."""

import pytest

from dlcore.engine.groups import Groups


def steps(groups, batches):
    return [groups.ends(step) for step in range(batches)]


def test_without_accumulation_each_batch_is_a_group_of_its_own():
    groups = Groups(1, batch_size=4, images=10)
    assert steps(groups, 3) == [True, True, True]
    assert [groups.share(step, images) for step, images in enumerate((4, 4, 2))] == [1.0, 1.0, 1.0]


def test_the_last_group_of_an_epoch_may_be_smaller():
    groups = Groups(3, batch_size=4, images=18)  # batches of 4, 4, 4, 4, 2
    assert steps(groups, 5) == [False, False, True, False, True]
    shares = [groups.share(step, images) for step, images in enumerate((4, 4, 4, 4, 2))]
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, 4 / 6, 2 / 6])


def test_shares_of_a_group_add_up_to_one():
    for size in range(1, 6):
        groups = Groups(size, batch_size=2, images=9)
        total = 0.0
        for step, images in enumerate((2, 2, 2, 2, 1)):
            total += groups.share(step, images)
            if groups.ends(step):
                assert total == pytest.approx(1.0)
                total = 0.0
        assert total == 0.0, "an epoch ends with the end of a group"


@pytest.mark.parametrize(
    ("epochs", "batches", "expected"), [(0, 0, 0), (1, 0, 2), (2, 0, 4), (1, 1, 3), (1, 3, 3)]
)
def test_updates_are_counted(epochs, batches, expected):
    assert Groups(3, batch_size=4, images=18).updates(epochs, batches) == expected
