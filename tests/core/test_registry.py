from __future__ import annotations

import itertools

import pytest

from dlcore.component import Component
from dlcore.errors import AmbiguousComponentError, UnknownComponentError
from dlcore.registry import Registry


def component(name: str) -> Component:
    return Component(name, f"package:{name}")


def registry(offers: list[tuple[str, str]]) -> Registry:
    made = Registry("target_generators")
    for plugin, name in offers:
        made.add(plugin, [component(name)])
    return made


OFFERS = [("acme", "ResNet"), ("timm", "ResNet"), ("acme", "Tiny"), ("zoo", "HRNet")]
QUALIFIED = ["zoo/HRNet", "acme/ResNet", "timm/ResNet", "acme/Tiny"]


@pytest.mark.parametrize("offers", list(itertools.permutations(OFFERS)))
def test_nothing_depends_on_the_order_of_loading(offers):
    made = registry(list(offers))

    assert [entry.qualified_name for entry in made] == QUALIFIED
    assert made.names() == ["HRNet", "acme/ResNet", "timm/ResNet", "Tiny"]
    with pytest.raises(AmbiguousComponentError, match=r"acme/ResNet, timm/ResNet$"):
        made.find("ResNet")


def test_short_and_qualified_names_find_the_same_entry():
    made = registry(OFFERS)

    assert len(made) == 4
    assert made.find("Tiny") == made.find("acme/Tiny")
    assert made.find("timm/ResNet").plugin == "timm"


def test_an_ambiguous_name_lists_the_choices():
    with pytest.raises(AmbiguousComponentError) as caught:
        registry(OFFERS).find("ResNet")

    assert str(caught.value) == (
        "target generator 'ResNet' is offered by 2 plugins; write one of: acme/ResNet, timm/ResNet"
    )


@pytest.mark.parametrize("name", ["HRNett", "hrnet", "HRNet ", "acme/HRNet", "zoo/hrnet"])
def test_a_near_name_is_suggested_with_its_plugin(name):
    with pytest.raises(UnknownComponentError) as caught:
        registry(OFFERS).find(name)

    assert str(caught.value).splitlines()[:2] == [
        f"no plugin offers a target generator named {name!r}",
        "  did you mean 'HRNet'? (from plugin 'zoo')",
    ]


def test_a_suggestion_is_something_that_works():
    made = registry(OFFERS[:3])

    with pytest.raises(UnknownComponentError) as caught:
        made.find("Resnet")

    suggestions = [line.split("'")[1] for line in str(caught.value).splitlines()[1:]]
    assert suggestions == ["acme/ResNet", "timm/ResNet"]
    assert [made.find(name).qualified_name for name in suggestions] == suggestions


def test_without_a_near_name_everything_is_listed():
    with pytest.raises(UnknownComponentError) as caught:
        registry(OFFERS).find("xyz")

    assert str(caught.value).endswith(
        "known target generators: HRNet, acme/ResNet, timm/ResNet, Tiny"
    )


def test_an_empty_registry_says_none():
    with pytest.raises(UnknownComponentError, match=r"known target generators: none$"):
        registry([]).find("ResNet")


def test_matching_gives_all_entries_and_never_raises():
    made = registry(OFFERS)

    assert [entry.plugin for entry in made.matching("ResNet")] == ["acme", "timm"]
    assert [entry.plugin for entry in made.matching("timm/ResNet")] == ["timm"]
    assert made.matching("nothing") == []
