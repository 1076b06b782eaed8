from __future__ import annotations

from types import SimpleNamespace

import pytest

from dlcore.cli import text


@pytest.fixture
def terminal(monkeypatch):
    """Pretend that the output is a terminal of some width."""

    def pretend(columns):
        stdout = SimpleNamespace(isatty=lambda: True)
        monkeypatch.setattr(text, "sys", SimpleNamespace(stdout=stdout))
        size = SimpleNamespace(columns=columns)
        monkeypatch.setattr(text, "shutil", SimpleNamespace(get_terminal_size=lambda: size))

    return pretend


ROWS = [["a", "plugin", "short"], ["longer", "p", "many words " * 10]]


def test_columns_are_aligned_and_a_piped_row_is_one_line():
    first, second = text.table(ROWS)

    assert first == "  a       plugin  short"
    assert second == "  longer  p       " + "many words " * 9 + "many words"


def test_on_a_terminal_the_last_column_is_wrapped(terminal):
    terminal(60)

    lines = "\n".join(text.table(ROWS)).splitlines()

    assert max(map(len, lines)) <= 60
    assert lines[2].startswith(" " * 18 + "words")


def test_a_table_of_nothing_is_empty():
    assert text.table([]) == []


def test_a_row_without_a_last_cell_has_no_trailing_blanks():
    assert text.table([["name", "plugin", ""]]) == ["  name  plugin"]


def test_a_paragraph_fits_80_columns_and_keeps_its_indent():
    lines = text.paragraph("word " * 40, "    ")

    assert all(line.startswith("    word") for line in lines)
    assert max(map(len, lines)) <= 80
    assert text.paragraph("") == []
