from __future__ import annotations

import pytest

from dlcore.component import Component
from dlcore.errors import ComponentImportError, PluginError


@pytest.mark.parametrize("name", ["", "Heat Map", "1st", "a/b", "a-b", "_x", "Name\n", None, 3])
def test_a_name_that_yaml_users_could_not_write_is_refused(name):
    with pytest.raises(PluginError, match="must match"):
        Component(name, "package.module:Class")


@pytest.mark.parametrize(
    "target",
    ["", "module", "module:", ":Class", "a..b:C", "a.:C", ".a:C", "a:b.C", "a b:C", "a:C\n", None],
)
def test_a_target_that_cannot_be_imported_is_refused(target):
    with pytest.raises(PluginError, match=r"must look like 'package.module:ClassName'"):
        Component("Name", target)


@pytest.mark.parametrize("summary", [None, 3, "two\nlines"])
def test_a_summary_that_breaks_the_table_is_refused(summary):
    with pytest.raises(PluginError, match="must be one line"):
        Component("Name", "package.module:Class", summary)


def test_an_extra_that_is_not_a_string_is_refused():
    with pytest.raises(PluginError, match="must be a string"):
        Component("Name", "package.module:Class", extra=["onnx"])  # type: ignore[arg-type]


def test_declaring_imports_nothing_and_loading_gives_the_class():
    component = Component("Ordered", "collections:OrderedDict")

    assert (component.module_name, component.class_name) == ("collections", "OrderedDict")
    assert component.load().__name__ == "OrderedDict"
    Component("Name", "no_such_package.module:Class")


BROKEN = {
    "no module": ("", "no_such_module:Class", "No module named 'no_such_module'"),
    "no class": ("", "broken_part:Class", "has no attribute 'Class'"),
    "raises": ("raise RuntimeError('no GPU')", "broken_part:Class", "RuntimeError: no GPU"),
    "ends the process": ("raise SystemExit('bye')", "broken_part:Class", "SystemExit: bye"),
    "a function": ("def Class(): ...", "broken_part:Class", "broken_part:Class is not a class"),
}


@pytest.fixture
def broken_part(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "broken_part", raising=False)
    return tmp_path / "broken_part.py"


@pytest.mark.parametrize(("source", "target", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_class_that_cannot_be_had_is_told_with_its_target(broken_part, source, target, reason):
    broken_part.write_text(source)

    with pytest.raises(ComponentImportError, match=reason) as caught:
        Component("Name", target).load()

    assert target in str(caught.value)


def test_the_extra_to_install_is_named_last_and_the_cause_is_kept():
    component = Component("Name", "no_such_module:Class", extra="dlcore[onnx]")

    with pytest.raises(ComponentImportError) as caught:
        component.load()

    assert str(caught.value).endswith("\n  try: pip install 'dlcore[onnx]'")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
