"""What is written under the attributes of a class: the descriptions of a section's keys.

Pydantic can collect them when a class is made, which costs a tenth of `dlcore check`; here they are
read when somebody asks.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path


@functools.cache
def attribute_docs(cls: type) -> Mapping[str, str]:
    """The strings under a class's attributes, and those of its bases, by attribute.

    Empty where there is no source to read.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs |= _docs_of_module(base.__module__).get(base.__qualname__, {})
    return docs


@functools.cache
def _docs_of_module(name: str) -> dict[str, dict[str, str]]:
    """By the names of the classes at the top of a module."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return {}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return {node.name: _docs(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}


def _docs(body: Sequence[ast.stmt]) -> dict[str, str]:
    docs = {}
    for statement, below in itertools.pairwise(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if not isinstance(below, ast.Expr) or not isinstance(below.value, ast.Constant):
            continue
        if isinstance(below.value.value, str):
            docs[statement.target.id] = inspect.cleandoc(below.value.value)
    return docs
