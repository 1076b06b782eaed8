from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import dlcore
from dlcore.errors import ConfigError, DlcoreError, Problem


@pytest.mark.parametrize(
    ("problem", "path", "message"),
    [
        (Problem("a.b", "no", 3), Path("run.yaml"), "run.yaml:3: a.b: no"),
        (Problem("a.b", "no"), Path("run.yaml"), "run.yaml: a.b: no"),
        (Problem("", "is empty"), Path("run.yaml"), "run.yaml: is empty"),
        (Problem("a.b", "no", 3), None, "line 3: a.b: no"),
        (Problem("a.b", "no"), None, "a.b: no"),
    ],
)
def test_a_problem_is_told_with_file_line_and_key(problem, path, message):
    assert str(ConfigError([problem], path)) == message


def test_every_problem_has_its_message():
    error = ConfigError([Problem("a", "one", 1), Problem("b", "two\n  more", 2)], Path("f"))

    assert error.messages() == ["f:1: a: one", "f:2: b: two\n  more"]
    assert str(error) == "f:1: a: one\nf:2: b: two\n  more"


def test_a_config_error_survives_the_way_out_of_a_worker():
    error = ConfigError([Problem("a", "one", 1)], Path("f"))

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.problems, copy.path, str(copy)) == (error.problems, error.path, str(error))


def test_every_public_error_is_one_that_the_command_line_prints():
    errors = [
        value
        for name in dlcore.__all__
        if isinstance(value := getattr(dlcore, name), type) and issubclass(value, Exception)
    ]

    assert len(errors) >= 7
    assert all(issubclass(error, DlcoreError) for error in errors)
