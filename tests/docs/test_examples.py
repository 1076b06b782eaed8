"""What the pages say about the example package is what it holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "dlcore-acme"
PAGE = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
INCLUDED = re.findall(r"```\{literalinclude\} \.\./\.\./examples/dlcore-acme/(\S+)", PAGE)


def test_every_file_that_matters_is_included_and_not_retyped():
    files = {
        path.relative_to(ACME).as_posix()
        for pattern in ("pyproject.toml", "run.yaml", "src/dlcore_acme/*.py", "tests/*.py")
        for path in ACME.glob(pattern)
        if path.name != "__init__.py"
    }
    assert set(INCLUDED) == files


def test_the_message_that_is_shown_names_the_line_of_the_key():
    (line,) = re.findall(r"error: run\.yaml:(\d+): model\.backbone\.width:", PAGE)
    lines = (ACME / "run.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[int(line) - 1].strip().startswith("width:")
