"""YAML that both versions of the language read alike."""

import math

import pytest
import yaml

from dlcore.config.yaml import parse
from dlcore.engine.yaml_writer import write_yaml

TEXTS = [
    "snout", "num_bodyparts x 2", "no", "On", "y", "NULL", "~", "", " a", "a ", "1", "01", "1e5",
    "1e-5", "0x1F", ".5", ".inf", "nan", "12:30:00", "2024-01-01", "a: b", "a #b", "- a", "[a]",
    "C:\\data\\p", "/data/a b/c", "it's", 'say "so"', "ünïcode", "鼠", "a\nb", "tab\t", "\x07",
    "*a", "&a", "!a", "%a", "@a", "`a`", "?", "<<", "=", "test.mAP@50:95", "a,b", "{a}", "\u2028",
]  # fmt: skip
NUMBERS = [0, -3, 10**20, 0.5, 1.0, 1e-5, -1e-5, 1e22, 5e-324, 7.2801, 0.1 + 0.2]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text_in_values_keys_and_lists(text):
    values = {"a": text, "list": [text, [text]], "map": {text: 1}, "items": [{text: text}]}

    written = write_yaml(values)

    assert yaml.safe_load(written) == values
    assert parse(written).values == values


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_the_same_numbers(number):
    for found in (
        yaml.safe_load(write_yaml({"a": number})),
        parse(write_yaml({"a": number})).values,
    ):
        assert found["a"] == number
        assert type(found["a"]) is type(number)


def test_what_is_no_number_stays_none():
    written = write_yaml({"a": math.inf, "b": -math.inf, "c": math.nan})

    for found in (yaml.safe_load(written), parse(written).values):
        assert found["a"] == math.inf
        assert found["b"] == -math.inf
        assert math.isnan(found["c"])


def test_nested_values_come_back():
    values = {
        "none": None,
        "truth": [True, False],
        "empty": {"map": {}, "list": []},
        "blocks": [{"type": "A", "params": {"lr": [[1e-4], [1e-5]]}}, [{"type": "B"}, 3], "c"],
        "graph": [[i, j] for i in range(12) for j in range(i)],
        "names": [f"bodypart number {i}" for i in range(20)],
        "deep": [[[f"bodypart number {i}" for i in range(20)]]],
    }

    written = write_yaml(values)

    assert yaml.safe_load(written) == values
    assert parse(written).values == values
    assert max(len(line) for line in written.splitlines()) <= 100


def test_short_lists_stand_in_one_line_and_sections_apart():
    written = write_yaml(
        {"a": 1, "b": 2, "model": {"channels": [2048, 4]}, "runner": {"lr": 1e-5}},
        {"a": "first", "model.channels": "what goes through", "runner.lr": "x" * 90},
    )

    assert written == (
        "a: 1  # first\n"
        "b: 2\n"
        "\n"
        "model:\n"
        "  channels: [2048, 4]  # what goes through\n"
        "\n"
        "runner:\n"
        f"  # {'x' * 90}\n"
        "  lr: 1.0e-05\n"
    )


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="cannot be written as YAML"):
        write_yaml({"a": object()})
