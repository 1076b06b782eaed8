from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from dlcore.config.problems import from_validation, shown


class Inner(BaseModel, extra="forbid"):
    size: int
    ratio: float | None = None


class Outer(BaseModel, extra="forbid"):
    inner: Inner | list[Inner] | None = None
    numbers: list[int] | int = 0


def problems(values):
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(values)
    known = {(): ["inner", "numbers"], ("inner",): ["size", "ratio"]}
    found = from_validation(error.value, values, "k", lambda place: known.get(place, []))
    return [(problem.key, problem.message) for problem in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"inner": {"size": "x"}}, [("k.inner.size", "must be a whole number, not 'x'")]),
        ({"inner": {"sise": 1}}, [("k.inner.sise", "unknown key 'sise'; did you mean 'size'?")]),
        ({"inner": {}}, [("k.inner", "missing key 'size'")]),
        ({"inner": [{"size": 1}, {"size": []}]},
         [("k.inner[1].size", "must be a whole number, not []")]),
        ({"inner": 5}, [("k.inner", "must be a map or a list, not 5")]),
        ({"numbers": ["a", 1, "b"]}, [("k.numbers[0]", "must be a whole number, not 'a'"),
                                      ("k.numbers[2]", "must be a whole number, not 'b'")]),
        ({"numbers": "x", "q": 1}, [("k.numbers", "must be a list or a whole number, not 'x'"),
                                    ("k.q", "unknown key 'q'; known here: inner, numbers")]),
    ],
)  # fmt: skip
def test_each_place_is_one_problem_without_the_tags_of_unions(values, expected):
    assert problems(values) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("a", "'a'"),
        ({"a": 1}, "a map"),
        ([1, 2], "[1, 2]"),
        (list(range(100)), "a list"),
        ("x" * 100, "'" + "x" * 56 + "..."),
    ],
)
def test_values_are_quoted_briefly(value, text):
    assert shown(value) == text
