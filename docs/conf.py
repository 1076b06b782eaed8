"""Sphinx configuration: `sphinx-build -W docs docs/_build/html`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dlcore

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "dlcore"
author = "the dlcore developers"
release = dlcore.__version__
html_title = f"dlcore {release}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
default_role = "code"  # so that single backticks work in docstrings
smartquotes = False  # they turn --output into an en dash
exclude_patterns = ["_build"]
nitpicky = False

html_theme = "furo"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_use_rtype = False


def _plain_paths(app: Sphinx, context: object, lines: list[str]) -> None:
    """Show the default of an option as it is written, not as Python shows a path."""
    lines[:] = [re.sub(r"(?:Posix|Windows)Path\('(.*?)'\)", r"\1", line) for line in lines]


def _plain_shapes(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Let docstrings write shapes as (B, *, h, w): the asterisk starts no emphasis."""
    lines[:] = [re.sub(r"(?<=[(\s])\*(?=[,)])", r"\\*", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Write the pages that are made from what is installed."""
    from components_page import write_components_page

    app.connect("sphinx-click-process-options", _plain_paths)
    app.connect("autodoc-process-docstring", _plain_shapes)
    app.connect(
        "builder-inited",
        lambda _: write_components_page(HERE / "reference" / "generated" / "components.md"),
    )
