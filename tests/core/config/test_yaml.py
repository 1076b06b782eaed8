from __future__ import annotations

import math

import pytest

from dlcore.config import yaml as config_yaml
from dlcore.config.yaml import parse, parse_value, read
from dlcore.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("5e-05", 5e-5),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e+3", -1500.0),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        ("cuda:0", "cuda:0"),
        ("'1e-4'", "1e-4"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("[1, 2e-1, a]", [1, 0.2, "a"]),
        ("{a: 1}", {"a": 1}),
    ],
)
def test_values_follow_yaml_1_2(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number():
    assert math.isnan(parse_value(".nan"))


def test_every_key_and_list_item_has_its_line():
    document = parse("# a comment\na:\n  b: 1\n  c:\n  - 5\n  - d: 2\n")
    assert document.values == {"a": {"b": 1, "c": [5, {"d": 2}]}}
    assert document.lines == {"a": 2, "a.b": 3, "a.c": 4, "a.c[0]": 5, "a.c[1]": 6, "a.c[1].d": 6}


def test_duplicate_keys_are_refused_with_both_lines_and_all_at_once():
    with pytest.raises(ConfigError) as error:
        parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert [(p.key, p.line) for p in error.value.problems] == [("b.c", 4), ("a", 5)]
    assert "lines 3 and 4" in error.value.problems[0].message


def test_aliases_and_merge_keys_keep_their_values_and_lines():
    document = parse("base: &b\n  x: 1\n  y: [2]\nuse:\n  <<: *b\n  x: 5\nsame: *b\n")
    assert document.values["use"] == {"x": 5, "y": [2]}
    assert document.values["same"] == {"x": 1, "y": [2]}
    assert document.lines["use.x"] == 6
    assert document.lines["use.y"] == 3
    assert document.lines["use.y[0]"] == 3


def test_an_earlier_merged_map_wins():
    document = parse("a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc:\n  <<: [*a, *b]\n")
    assert document.values["c"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a: 1\n\tb: 1\n", 2, "tab"),
        ("a: [1, 2\nb: 3\n", 2, "is not YAML"),
        ("a: 1\n b: 2\n", 2, "colon"),
        ("a: 1\n---\nb: 2\n", 2, "several documents"),
        ("- 1\n- 2\n", 1, "holds a list instead of a map"),
        ("just text\n", 1, "single value 'just text'"),
        ("", None, "is empty"),
        ("# only a comment\n", None, "is empty"),
        ("a: *nobody\n", 1, "undefined alias"),
        ("a: !!python/object:os.system x\n", 1, "is not supported"),
        ("a: !mine {b: 1}\n", 1, "is not supported"),
        ("a: !!int x\n", 1, "is none"),
        ("1: x\n", 1, "must be text; put it in quotes"),
        ("[a, b]: x\n", 1, "a key must be text"),
        ("a: &x [*x]\n", 1, "refers to the value that holds it"),
        ("a:\n  <<: 5\n", 2, "'<<' must name a map"),
        ("b: 1\na: " + "[" * 200_000, 2, "is nested more than 100 deep"),
        ("a: " + "[" * 5000 + "]" * 5000, 1, "is nested more than 100 deep"),
        ("a:\n" + "- " * 5000 + "1", 2, "is nested more than 100 deep"),
        ("a: " + "{a: " * 5000, 1, "is nested more than 100 deep"),
    ],
)
def test_broken_text_is_explained_with_its_line(text, line, words):
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert words in str(error.value)
    if line is not None:
        assert error.value.problems[0].line == line


def test_a_bomb_of_aliases_is_refused_quickly(monkeypatch):
    monkeypatch.setattr(config_yaml, "MAX_NODES", 5000)
    levels = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="holds more than 5000 values"):
        parse("\n".join(levels))


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, "not UTF-8 text (byte 0xe9)"),
        (b"a: 1\n\x00\x01", 2, "control character"),
        (b"\x89PNG\r\n\x1a\n", 1, "not UTF-8"),
        ("a: 1\n".encode("utf-16"), None, "UTF-16"),
    ],
)
def test_a_file_that_is_not_utf8_text_is_explained(tmp_path, data, line, words):
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        read(path)
    assert words in str(error.value)
    assert str(error.value).startswith(str(path))
    assert error.value.problems[0].line == line


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n")
    document = read(path)
    assert document.values == {"a": 1, "b": {"c": 2}}
    assert document.lines["b.c"] == 3


def test_a_file_that_cannot_be_read_is_explained(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        read(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read(tmp_path)
