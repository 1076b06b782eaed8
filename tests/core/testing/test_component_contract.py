"""`check_component`: what can be seen of a class without an instance."""

from __future__ import annotations

import pytest

from dlcore.interfaces import Criterion, Logger, Transform
from dlcore.testing import check_component


class Good(Transform):
    """Does nothing."""

    def __init__(self, task, *, strength: float = 1.0):
        self.strength = strength

    def __call__(self, sample, rng):
        return sample


class Undocumented(Good):
    pass


class Abstract(Transform):
    """Forgets to implement anything."""

    def __init__(self, task):
        pass


class NoTask(Good):
    """Takes too little."""

    def __init__(self, *, strength: float = 1.0):
        pass


class PositionalOption(Good):
    """Lets an option be given by position."""

    def __init__(self, task, strength: float = 1.0):
        pass


class Bare(Good):
    """Says nothing about the type of its option."""

    def __init__(self, task, *, strength=1.0):
        pass


class Greedy(Good):
    """Swallows misspelt options."""

    def __init__(self, task, **options: float):
        pass


class Open(Good):
    """Hands options on.

    Args:
        task: The names.
        options: Arguments of the library; unknown ones are refused.
    """

    def __init__(self, task, **options: float):
        pass


class Other(Logger):
    """Is of another kind."""

    def __init__(self, run):
        pass

    def log(self, metrics, step):
        pass


BROKEN = {
    Undocumented: "must have a docstring",
    Abstract: "must implement __call__",
    NoTask: r"takes \(\) by position; a transform is given \(task\)",
    PositionalOption: r"takes \(task, strength\) by position",
    Bare: "option 'strength' must have an annotation",
    Greedy: r"takes \*\*options",
    Other: "must subclass Transform",
}


@pytest.mark.parametrize("cls", [Good, Open])
def test_a_sound_class_passes(cls):
    check_component("transforms", cls)


@pytest.mark.parametrize(
    ("cls", "message"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_a_broken_promise_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_component("transforms", cls)


def test_a_class_may_have_no_constructor():
    class Plain(Criterion):
        """Has no options."""

        def forward(self, output, target, weights=1.0):
            return output.sum()

    check_component("criteria", Plain)


def test_an_unknown_kind_is_refused():
    with pytest.raises(AssertionError, match="there is no kind 'transform'"):
        check_component("transform", Good)
