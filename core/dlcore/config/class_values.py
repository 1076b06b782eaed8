"""Plain values in the bodies of classes, read from their source text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from dlcore.component import Component
from dlcore.config.signatures import linearise
from dlcore.config.source import ClassSource, ModuleSource, find_class


def read_values(component: Component, names: Iterable[str]) -> dict[str, Any]:
    """Class attributes of a component, without importing it.

    Args:
        component: What to look into.
        names: The attributes.

    Returns:
        By name, its own values before inherited ones. What is not a plain value, or stands in a
        class whose source is not at hand, is left out.
    """
    wanted = set(names)
    found: dict[str, Any] = {}
    try:
        cls = find_class(component.module_name, component.class_name)
        for item in linearise(cls) if cls is not None else ():
            if isinstance(item, ClassSource):
                own = _values(item.node, item.module)
                found = {name: value for name, value in own if name in wanted} | found
    except SyntaxError:
        return {}  # who uses the component is told
    return found


def _values(node: ast.ClassDef, module: ModuleSource) -> Iterator[tuple[str, Any]]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield from _assigned(statement.target, statement.value, module)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from _assigned(target, statement.value, module)


def _assigned(target: ast.expr, value: ast.expr, module: ModuleSource) -> Iterator[tuple[str, Any]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, part in zip(target.elts, value.elts, strict=False):
            yield from _assigned(inner, part, module)
    elif isinstance(target, ast.Name):
        if isinstance(value, ast.Name):
            value = module.values.get(value.id, value)
        try:
            yield target.id, ast.literal_eval(value)
        except (TypeError, ValueError):
            return
