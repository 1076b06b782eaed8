from __future__ import annotations

import inspect

import pytest

from dlcore import hookspecs
from dlcore.hookspecs import KINDS, hook_name, singular
from dlcore.interfaces import INTERFACES


def test_every_kind_has_an_interface_and_the_other_way_round():
    assert set(KINDS) == set(INTERFACES)


def test_the_heart_of_the_system_comes_first():
    assert KINDS[:8] == (
        "backbones",
        "necks",
        "heads",
        "predictors",
        "target_generators",
        "detectors",
        "loggers",
        "schedulers",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_takes_nothing_and_says_what_it_is_for(kind):
    hook = getattr(hookspecs, hook_name(kind))

    assert not inspect.signature(hook).parameters
    assert inspect.getdoc(hook).endswith(".")


def test_one_component_of_a_kind_in_words():
    words = {kind: singular(kind) for kind in KINDS}

    assert words["heads"] == "head"
    assert words["target_generators"] == "target generator"
    assert words["criteria"] == "criterion"
    assert words["net_types"] == "net type"
