"""Descriptions are what stands under the attributes, those of base classes included."""

from dlcore.config.attribute_docs import attribute_docs


class Base:
    first: int
    """Of the base."""

    second: int = 1
    """Also of the base,
    in two lines."""

    silent: int


class Derived(Base):
    second: int = 2
    """Its own."""

    other = 3
    """No annotation: not an attribute that is described."""


def test_what_stands_under_an_attribute_describes_it() -> None:
    assert attribute_docs(Base) == {
        "first": "Of the base.",
        "second": "Also of the base,\nin two lines.",
    }


def test_a_derived_class_describes_what_it_changes() -> None:
    assert attribute_docs(Derived) == {"first": "Of the base.", "second": "Its own."}


def test_a_class_without_source_has_no_descriptions() -> None:
    assert attribute_docs(int) == {}
