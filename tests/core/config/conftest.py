from __future__ import annotations

import itertools
import sys
import textwrap

import pytest

_NUMBERS = itertools.count()


@pytest.fixture
def make_package(tmp_path, monkeypatch):
    """Writes files of a package that can be imported, and returns its unique name.

    In the text of the files, PACKAGE stands for that name.
    """
    made = []

    def make(**files: str) -> str:
        name = f"written_for_test_{next(_NUMBERS)}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for module, text in files.items():
            code = textwrap.dedent(text).replace("PACKAGE", name)
            (folder / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        made.append(name)
        return name

    yield make
    for module in list(sys.modules):
        if module.partition(".")[0] in made:
            del sys.modules[module]
