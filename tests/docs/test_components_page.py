"""The page of the components is made from what is installed, and leaves nothing unsaid."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dlcore.config.options import read_options

SOURCE = Path(__file__).parents[2] / "docs" / "components_page.py"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    spec = importlib.util.spec_from_file_location("components_page", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("docs") / "generated" / "components.md"
    module.write_components_page(path)
    return path.read_text(encoding="utf-8")


def test_every_bundled_component_has_a_heading(page, host):
    headings = {line[4:] for line in page.splitlines() if line.startswith("### ")}
    assert headings == {entry.name for registry in host.registries.values() for entry in registry}


def test_every_option_is_described(host):
    silent = [
        f"{entry.qualified_name}: {name}"
        for registry in host.registries.values()
        for entry in registry
        for name, option in read_options(entry.component).options.items()
        if not option.description
    ]
    assert silent == [], "describe it under `Args:` in the docstring of the class"
