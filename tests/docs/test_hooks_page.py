"""The page about hooks has a heading, the signature and an example for each hook."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from dlcore import hookspecs
from dlcore.building import SUPPLIED
from dlcore.hookspecs import KINDS, hook_name
from dlcore.interfaces import INTERFACES
from dlcore.testing import contracts

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
SECTIONS = {
    section.partition("\n")[0].strip(): section for section in re.split(r"^## ", PAGE, flags=re.M)
}


def test_the_page_has_a_heading_for_every_hook_and_for_no_other():
    headings = {heading for heading in SECTIONS if heading.startswith("register_")}
    assert headings == {hook_name(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_is_shown_with_its_signature_its_meaning_and_an_example(kind):
    name = hook_name(kind)
    hook = getattr(hookspecs, name)
    section = SECTIONS[name]

    assert f"def {name}{inspect.signature(hook)}".replace("'", "") in section
    meaning = re.split(r" \(|; |\.$", inspect.getdoc(hook))[0]
    assert meaning in " ".join(section.split())
    assert f"@hookimpl\ndef {name}() -> list[Component]:" in section


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_tells_class_positional_parameters_and_check(kind):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| [`{hook_name(kind)}`]"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]

    assert cells[1] == f"`{INTERFACES[kind].__name__}`"
    assert cells[2] == ", ".join(SUPPLIED.get(kind, ()))
    assert cells[3].strip("`") in contracts.__all__
