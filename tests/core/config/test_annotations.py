from __future__ import annotations

import ast
import typing

import pytest
from pydantic import TypeAdapter, ValidationError

from dlcore.config.annotations import evaluate
from dlcore.config.source import read_module

MODULE = """
    import conint
    import pydantic
    import torch
    import typing as t
    from pydantic import Field, conint
    from typing import Annotated, Literal, NotRequired, Optional, Required, TypedDict, Union
    from PACKAGE.other import Far, Width

    class Base(TypedDict):
        name: str

    class Child(Base, total=False):
        size: int
        must: Required[float]
        tensor: torch.Tensor

    class Full(TypedDict):
        a: int
        b: NotRequired[int]

    class Ordinary:
        pass

    Circle = Circle2
    Circle2 = Circle
    Number = int | float
"""
OTHER = """
    from typing import Literal
    from PACKAGE.third import Deep as Far
    Width = Literal["wide", "narrow"]
"""
THIRD = "Deep = list[int]\n"


@pytest.fixture
def adapter(make_package):
    name = make_package(module=MODULE, other=OTHER, third=THIRD)

    def make(text):
        module = read_module(f"{name}.module")
        return TypeAdapter(evaluate(ast.parse(text, mode="eval").body, module))

    return make


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("Far", [1], ["a"]),
        ("Width", "wide", "broad"),
        ("Number", 1.5, "a"),
        ("conint(ge=3)", 3, 2),
        ("pydantic.conint(ge=3)", 3, 2),
        ("Annotated[int, Field(ge=3)]", 3, 2),
        ("Annotated[float, Field(gt=0), 'a remark']", 0.5, 0),
        ("Annotated[int, unheard(3)]", 1, "a"),
        ("t.Optional[t.List[int]]", None, ["a"]),
        ("Union[int, None]", None, "a"),
        ("Optional['int']", 3, "a"),
        ("Child", {"name": "n", "must": 1}, {"name": "n"}),
        ("Child", {"name": "n", "must": 1, "tensor": "t"}, {"name": "n", "must": 1, "sise": 2}),
        ("Full", {"a": 1}, {"a": 1, "c": 1}),
        ("list", [1, "a"], "a"),
        ("dict", {"a": 1}, [1]),
        ("tuple", [1], 5),
        ("t.Sequence", [1], "a"),
        ("t.Mapping", {"a": 1}, [1]),
        ("dict[str, list[float]]", {"a": [1]}, {"a": ["x"]}),
        ("set[str]", ["a"], [1]),
        ("t.Dict[str, t.Tuple[int, ...]]", {"a": [1]}, {"a": ["x"]}),
    ],
)
def test_annotations_are_understood_without_importing_their_module(adapter, text, right, wrong):
    made = adapter(text)
    made.validate_python(right)
    with pytest.raises(ValidationError):
        made.validate_python(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "Ordinary", "torch.Tensor", "Unheard", "a.b.c", "f(3)", "'int('", "3", "Circle",
        "Union[torch.Tensor, None]", "Literal[Unheard]", "torch.Tensor[int]",
        "t.Callable[[int], int]", "t.Callable",
        "t.NoSuchThing if True else 1", "lambda: 1", "Ordinary[int]", "conint(ge=unheard)",
    ],
)  # fmt: skip
def test_what_cannot_be_understood_takes_anything(adapter, text):
    for value in (1, "a", [1], None, {"a": 1}):
        adapter(text).validate_python(value)


def test_without_an_annotation_anything_goes(make_package):
    module = read_module(f"{make_package(module='')}.module")
    assert evaluate(None, module) is typing.Any
