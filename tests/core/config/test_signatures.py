from __future__ import annotations

import pytest

from dlcore.config.signatures import describe_arguments, read_signature
from dlcore.config.source import find_class


def read(package, text, name="A"):
    return read_signature(find_class(f"{package(module=text)}.module", name))


def names(signature):
    return [parameter.name for parameter in signature.keyword_only]


def test_keyword_only_parameters_are_options_and_positional_ones_are_not(make_package):
    signature = read(make_package, "class A:\n    def __init__(self, x, y=1, *, a, b=2): pass\n")
    assert names(signature) == ["a", "b"]
    assert [parameter.name for parameter in signature.positional] == ["x", "y"]
    assert [parameter.default is None for parameter in signature.keyword_only] == [True, False]
    assert not signature.is_open


INHERITING = """
    from torch import nn

    class Base(nn.Module):
        '''A base.

        Args:
            c: From the base.
        '''
        def __init__(self, *, c: int = 1, d: int = 2): pass

    class A(Base):
        def __init__(self, x, *, a, **options):
            super().__init__({given}**options)
"""


def test_keywords_that_are_passed_on_are_options_of_the_base(make_package):
    signature = read(make_package, INHERITING.format(given=""))
    assert names(signature) == ["a", "c", "d"]
    assert signature.keyword_only[1].description == "From the base."
    assert not signature.is_open


def test_what_a_subclass_gives_its_base_itself_is_no_option(make_package):
    assert names(read(make_package, INHERITING.format(given="d=5, "))) == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "expected", "is_open"),
    [
        ("class A:\n    def __init__(self, *, a=1, **kwargs): self.k = kwargs\n", ["a"], True),
        ("class A:\n    pass\n", [], False),
        ("from abc import ABC\nclass A(ABC):\n    pass\n", [], False),
        ("class B:\n    def __init__(self, *, b=1): pass\nclass A(B):\n    pass\n", ["b"], False),
        (
            "from torch.x import B\nclass A(B):\n    def __init__(self, *, a=1, **kwargs):\n"
            "        super().__init__(**kwargs)\n",
            ["a"],
            True,
        ),
        (
            "import torch\nclass A(torch.nn.Module):\n    def __init__(self, *, a=1, **k):\n"
            "        super().__init__(**k)\n",
            ["a"],
            False,
        ),
    ],
)
def test_further_keys_are_taken_only_where_they_can_be(make_package, text, expected, is_open):
    signature = read(make_package, text)
    assert (names(signature), signature.is_open) == (expected, is_open)


def test_a_base_in_another_module_is_followed(make_package):
    package = make_package(
        base="class Base:\n    def __init__(self, *, b: int = 1): pass\n",
        module="from PACKAGE.base import Base\nclass A(Base):\n    pass\n",
    )
    signature = read_signature(find_class(f"{package}.module", "A"))
    assert names(signature) == ["b"]
    assert signature.keyword_only[0].module.name == f"{package}.base"


def test_a_diamond_is_followed_in_pythons_order(make_package):
    text = """
        class Top:
            def __init__(self, *, top=1): pass
        class Left(Top):
            def __init__(self, *, left=1, **k): super().__init__(**k)
        class Right(Top):
            def __init__(self, *, right=1, **k): super().__init__(**k)
        class A(Left, Right):
            pass
    """
    assert names(read(make_package, text)) == ["left", "right", "top"]


@pytest.mark.parametrize(
    "text",
    [
        "from dataclasses import dataclass\n@dataclass(kw_only=True)\nclass A:\n    a: int = 1\n",
        "from nowhere import Base\nclass A(Base):\n    pass\n",
    ],
)
def test_what_the_text_does_not_tell_is_none(make_package, text):
    assert read(make_package, text) is None


def test_the_args_section_describes_parameters():
    text = """Do things.

    Args:
        first: One line.
        second (int): Over
            two lines: with a colon.
        **rest: The rest.

    Returns:
        third: Not a parameter.
    """
    assert describe_arguments(text) == {
        "first": "One line.",
        "second": "Over two lines: with a colon.",
        "rest": "The rest.",
    }
    assert describe_arguments("") == {}
    assert describe_arguments("No section.") == {}
