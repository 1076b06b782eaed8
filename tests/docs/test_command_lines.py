"""Every command is on the page of the command line, and every command line that is shown parses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dlcore.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    if "_build" not in page.parts and page.is_file()
]
BLOCK = re.compile(r"^```(?:bash|console|sh|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def lines_of(page: Path) -> list[str]:
    """Command lines that begin with `dlcore`, those of several lines joined."""
    lines = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;| > ", line):
                command = part.strip().removeprefix("$ ").removeprefix(".venv/bin/")
                if command.startswith("dlcore"):
                    lines.append(command)
    return lines


SHOWN = [(page, line) for page in PAGES for line in lines_of(page)]


def parse(arguments: list[str], command: click.Command, name: str) -> None:
    """Parse without running anything."""
    with command.make_context(name, list(arguments)) as context:
        if isinstance(command, click.Group) and context._protected_args + context.args:
            name, inner, rest = command.resolve_command(
                context, context._protected_args + context.args
            )
            parse(rest, inner, name)


@pytest.mark.parametrize(
    ("page", "line"), SHOWN, ids=[f"{page.relative_to(ROOT)}: {line}" for page, line in SHOWN]
)
def test_a_command_line_in_the_docs_parses(page, line):
    arguments = shlex.split(line, comments=True)
    assert arguments[0] == "dlcore"

    parse(arguments[1:], cli, "dlcore")


def test_the_pages_show_command_lines():
    assert {page.name for page, _ in SHOWN} >= {"README.md", "tutorial.md", "resume.md"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_can_be_imported_and_says_what_it_does(name):
    command = cli.get_command(click.Context(cli), name)

    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help text"


def test_the_page_of_the_command_line_shows_the_whole_group():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert ".. click:: dlcore.cli.main:cli" in page
    assert ":nested: full" in page
