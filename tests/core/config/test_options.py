from __future__ import annotations

import subprocess
import sys

import pytest

from dlcore.component import Component
from dlcore.config.annotation_queries import NestedBlock
from dlcore.config.options import UNKNOWN, read_options
from dlcore.errors import ComponentImportError

PARTS = """
    from __future__ import annotations
    import torch
    import numpy as np
    import pydantic
    from collections.abc import Mapping, Sequence
    from typing import Annotated, Literal, Optional, TypedDict, Union
    from pydantic import Field, PositiveInt
    from PACKAGE.options import Layers, Limited, Named
    from dlcore.interfaces import Backbone, Criterion, TargetGenerator

    Mode = Literal["one", "two"]
    WIDTH = 20

    class Box(TypedDict, total=False):
        width: int
        height: float | None

    class A:
        '''An example.

        Args:
            count: How many.
        '''
        def __init__(self, task, *, {parameter}):
            pass
"""

OPTIONS = """
    import typing
    import pydantic

    class Layers(pydantic.BaseModel, extra="forbid"):
        channels: list[int]
        kernel_size: int = 3

    Limited = typing.Annotated[int, pydantic.Field(ge=2)]

    class Named(typing.TypedDict):
        name: str
        size: typing.List[float]
"""


@pytest.fixture
def spec_of(make_package):
    def make(parameter: str):
        name = make_package(parts=PARTS.replace("{parameter}", parameter), options=OPTIONS)
        return read_options(Component("A", f"{name}.parts:A"))

    return make


def check(spec, value, name="x"):
    checked, problems = spec.validate({name: value}, "k")
    return checked.get(name, "nothing"), [(p.key, p.message) for p in problems]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 3, 3),
        ("int", 1e3, 1000),
        ("float", 3, 3.0),
        ("float", "1e-4", 1e-4),
        ("bool", True, True),
        ("str", "a", "a"),
        ("int | None", None, None),
        ("Optional[int]", 5, 5),
        ("Union[int, str]", "a", "a"),
        ("float | str", "0.5", "0.5"),
        ("bool | str | None", "weights.pt", "weights.pt"),
        ("int | list[int]", [1, 2], [1, 2]),
        ("Sequence[float]", [1, 2], [1.0, 2.0]),
        ("Sequence[Sequence[int]]", [[1], [2, 3]], [[1], [2, 3]]),
        ("tuple[float, float]", [0.5, 1], (0.5, 1.0)),
        ("tuple[int, ...]", [1, 2, 3], (1, 2, 3)),
        ("Mapping[str, int]", {"a": 1}, {"a": 1}),
        ("dict", {"a": "b"}, {"a": "b"}),
        ("Literal['a', 2, None]", 2, 2),
        ("Mode", "two", "two"),
        ("'int'", 3, 3),
        ("PositiveInt", 1, 1),
        ("pydantic.PositiveInt", 1, 1),
        ("Annotated[int, Field(gt=2)]", 3, 3),
        ("Limited", 2, 2),
        ("Box", {"width": 5}, {"width": 5}),
        ("Box | None", {"height": None}, {"height": None}),
        ("Named", {"name": "n", "size": [1]}, {"name": "n", "size": [1.0]}),
        ("torch.Tensor", "anything", "anything"),
        ("float | torch.Tensor", 2, 2.0),
        ("Unheard", [1], [1]),
        ("Sequence[Unheard]", ["a", 1], ["a", 1]),
        ("object", "anything", "anything"),
    ],
)
def test_right_values_are_accepted_and_coerced(spec_of, annotation, value, expected):
    found, problems = check(spec_of(f"x: {annotation}"), value)
    assert problems == []
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "key", "message"),
    [
        ("int", "3", "k.x", "must be a whole number, not '3'"),
        ("int", 1.5, "k.x", "must be a whole number, not 1.5"),
        ("int", True, "k.x", "must be a whole number, not true"),
        ("float", "fast", "k.x", "must be a number, not 'fast'"),
        ("float", [1], "k.x", "must be a number, not [1]"),
        ("bool", 1, "k.x", "must be true or false, not 1"),
        ("bool", "yes", "k.x", "must be true or false, not 'yes'"),
        ("str", 2024, "k.x", "must be text, not 2024"),
        ("int", None, "k.x", "the option 'x' needs a value, not null"),
        ("int | str", [1], "k.x", "must be a whole number or text, not [1]"),
        ("int | list[int]", [1, "a"], "k.x[1]", "must be a whole number, not 'a'"),
        ("Sequence[int]", "abc", "k.x", "must be a list, not 'abc'"),
        ("Sequence[int]", [1, "b"], "k.x[1]", "must be a whole number, not 'b'"),
        ("Mapping[str, int]", [1], "k.x", "must be a map, not [1]"),
        ("Mode", "tow", "k.x", "must be 'one' or 'two', not 'tow'; did you mean 'two'?"),
        ("PositiveInt", 0, "k.x", "must be greater than 0, not 0"),
        ("Limited", 1, "k.x", "must be greater than or equal to 2, not 1"),
        ("float | torch.Tensor", "a", "k.x", "must be a number, not 'a'"),
        ("Box", {"wdth": 5}, "k.x.wdth", "unknown key 'wdth'; did you mean 'width'?"),
        ("Box | None", {"q": 5}, "k.x.q", "unknown key 'q'; known here: height, width"),
        ("Named", {"name": "n"}, "k.x", "missing key 'size'"),
        ("Named", {"name": "n", "size": ["a"]}, "k.x.size[0]", "must be a number, not 'a'"),
        ("Layers", {"chanels": [1]}, "k.x.chanels", "unknown key 'chanels'; did you mean "
         "'channels'?"),
        ("Layers", {"channels": ["a"]}, "k.x.channels[0]", "must be a whole number, not 'a'"),
        ("Sequence[Layers]", [{"channels": [], "q": 1}], "k.x[0].q",
         "unknown key 'q'; known here: channels, kernel_size"),
        ("TargetGenerator", "HeatmapGenerator", "k.x", "must be a map, not 'HeatmapGenerator'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_problem_at_its_place(spec_of, annotation, value, key, message):
    _, problems = check(spec_of(f"x: {annotation}"), value)
    assert problems == [(key, message)]


def test_unknown_missing_and_null_options(spec_of):
    spec = spec_of("channels: int, width: int = 5, depth: int | None = 2")
    values, problems = spec.validate({"width": None, "depth": None, "wdth": 3}, "m")
    assert values == {"depth": None}
    assert [(p.key, p.message) for p in problems] == [
        ("m.wdth", "unknown key 'wdth'; did you mean 'width'?"),
        ("m", "missing key 'channels'"),
    ]


def test_a_misspelt_required_option_is_one_problem(spec_of):
    _, problems = spec_of("channels: int").validate({"chanels": 3}, "m")
    assert [problem.message for problem in problems] == [
        "unknown key 'chanels'; did you mean 'channels'?"
    ]


def test_further_keys_are_taken_where_the_class_takes_them(spec_of):
    spec = spec_of("a: int = 1, **kwargs")
    assert spec.is_open
    assert spec.takes("anything")
    assert spec.validate({"a": 2, "tags": ["x"]}, "k") == ({"a": 2, "tags": ["x"]}, [])


def test_options_know_their_default_and_description(spec_of):
    options = spec_of("count: int = 3, width: int = WIDTH, other=compute(), must: str").options
    assert (options["count"].default, options["count"].description) == (3, "How many.")
    assert (options["width"].default, options["width"].default_text) == (20, "WIDTH")
    assert (options["other"].default, options["other"].default_text) == (UNKNOWN, "compute()")
    assert options["must"].required
    assert options["must"].annotation_text == "str"
    assert spec_of("count: int = 3").supplied == ("task",)
    assert spec_of("count: int = 3").docstring.startswith("An example.")
    assert spec_of("b: int, a: int").first == "b"


def test_interfaces_are_nested_blocks(spec_of):
    spec = spec_of("parts: Sequence[TargetGenerator], loss: Criterion | None = None, n: int = 1")
    first, second, loss = {"type": "X"}, {"type": "Y"}, {"type": "Z"}
    values = {"parts": [first, second], "loss": loss, "n": 1}
    assert list(spec.nested(values, "h")) == [
        NestedBlock("target_generators", "h.parts[0]", ("parts", 0), first),
        NestedBlock("target_generators", "h.parts[1]", ("parts", 1), second),
        NestedBlock("criteria", "h.loss", ("loss",), loss),
    ]
    assert spec.validate(values, "h")[1] == []


def test_blocks_by_name_are_nested_too(spec_of):
    spec = spec_of("parts: dict[str, Backbone]")
    found = list(spec.nested({"parts": {"a": {"type": "X"}}}, "h"))
    assert found == [NestedBlock("backbones", "h.parts.a", ("parts", "a"), {"type": "X"})]


DATACLASS = """
    from __future__ import annotations
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Annotated, Literal
    from pydantic import Field
    from dlcore.interfaces import TargetGenerator

    @dataclass(kw_only=True)
    class A:
        '''Made by a decorator.'''
        count: int = 3
        names: list[str]
        parts: Sequence[TargetGenerator] | None = None
        mode: Literal["a", "b"] = "a"
        size: Annotated[int, Field(gt=0)] = 1
"""


def test_a_class_whose_source_does_not_tell_is_imported(make_package):
    name = make_package(parts=DATACLASS)
    spec = read_options(Component("A", f"{name}.parts:A"))
    assert list(spec.options) == ["count", "names", "parts", "mode", "size"]
    assert spec.options["count"].default == 3
    assert spec.options["names"].required
    assert [p.message for p in spec.validate({"cout": 1, "names": []}, "k")[1]] == [
        "unknown key 'cout'; did you mean 'count'?"
    ]
    values = {"names": [], "parts": [{"type": "X"}], "mode": "c", "size": 0}
    assert [p.key for p in spec.validate(values, "k")[1]] == ["k.mode", "k.size"]
    assert [nested.key for nested in spec.nested(values, "k")] == ["k.parts[0]"]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("class B:\n    pass\n", "has no attribute 'A'"),
        ("class A(:\n", "is not valid Python"),
        ("from PACKAGE.options import X\nclass A:\n    def __init__(self, *, x: X): pass\n",
         "PACKAGE.options"),
    ],
)  # fmt: skip
def test_a_broken_component_says_so(make_package, module, words):
    name = make_package(parts=module, options="1 / 0\n")
    with pytest.raises(ComponentImportError) as error:
        read_options(Component("A", f"{name}.parts:A"))
    assert words.replace("PACKAGE", name) in str(error.value)


def test_a_module_that_is_not_there_is_a_component_error():
    with pytest.raises(ComponentImportError, match="no_such_module"):
        read_options(Component("A", "no_such_module.parts:A"))


def test_the_bundled_interfaces_are_all_known_by_name():
    from dlcore.config.annotations import KIND_OF_INTERFACE
    from dlcore.interfaces import INTERFACES

    for kind, interface in INTERFACES.items():
        assert KIND_OF_INTERFACE[interface.__name__] == kind


def test_reading_the_options_of_every_bundled_component_imports_no_torch():
    code = """
import sys
from importlib_metadata import entry_points
from dlcore.config.options import read_options
from dlcore.plugin_host import PluginHost
host = PluginHost.from_entry_points(
    [ep for ep in entry_points(group="dlcore.plugins") if ep.dist.name == "dlcore"])
count = 0
for kind, registry in host.registries.items():
    for entry in registry:
        read_options(entry.component).options
        count += 1
assert "torch" not in sys.modules, "torch was imported"
assert count == sum(len(registry) for registry in host.registries.values())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
