from __future__ import annotations

import ast
import sys

import pytest

from dlcore.config.source import Imported, find_class, origin, read_module


def test_neither_a_module_nor_its_package_is_imported(make_package):
    name = make_package(heavy="raise RuntimeError\nclass A:\n    pass\n")
    assert find_class(f"{name}.heavy", "A").node.name == "A"
    assert not any(module.startswith(name) for module in sys.modules)


@pytest.mark.parametrize(
    "entrance",
    [
        "from PACKAGE.inner import Real as Shown",
        "from PACKAGE.inner import *\nShown = Real",
        "from .inner import Real as Shown",
        "from . import inner\nfrom PACKAGE.inner import Real\nShown = Real",
        "try:\n    from PACKAGE.inner import Real as Shown\nexcept ImportError:\n    Shown = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .inner import Real as Shown",
    ],
)
def test_a_class_is_found_through_re_exports(make_package, entrance):
    name = make_package(outer=entrance, inner="class Real:\n    pass\n")
    found = find_class(f"{name}.outer", "Shown")
    assert (found.node.name, found.module.name) == ("Real", f"{name}.inner")


def test_what_is_not_there_is_none(make_package):
    name = make_package(outer="from .outer import A\nb = 5\n")
    assert find_class(f"{name}.outer", "A") is None  # a circle
    assert find_class(f"{name}.outer", "b") is None
    assert find_class(f"{name}.outer", "c") is None
    assert find_class(f"{name}.nothing", "A") is None
    assert find_class("no_such_package_at_all.x", "A") is None
    assert read_module("math") is None  # a C extension


def test_a_changed_file_is_read_again(make_package, tmp_path):
    name = make_package(a="class A:\n    pass\n")
    assert find_class(f"{name}.a", "B") is None
    path = tmp_path / name / "a.py"
    before = path.stat().st_mtime_ns
    path.write_text("class B:\n    pass\n")
    if path.stat().st_mtime_ns == before:
        pytest.skip("the file system's clock is too coarse to tell the versions apart")
    assert find_class(f"{name}.a", "B") is not None


def test_broken_source_raises(make_package):
    name = make_package(a="class A(:\n")
    with pytest.raises(SyntaxError):
        read_module(f"{name}.a")


def test_origin_follows_dotted_names(make_package):
    name = make_package(a="import torch\nfrom torch import nn\nimport a.b.c\nclass Here: pass\n")
    module = read_module(f"{name}.a")

    def of(text):
        return origin(ast.parse(text, mode="eval").body, module)

    assert of("nn.Module") == Imported("torch.nn", "Module")
    assert of("torch.nn.Module") == Imported("torch.nn", "Module")
    assert of("Here") == Imported(f"{name}.a", "Here")
    assert of("a.b.c.D") == Imported("a.b.c", "D")
    assert of("int") is None
    assert of("f().x") is None
