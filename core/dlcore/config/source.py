"""Reading Python modules without running them: names, classes and where they come from.

`dlcore check` must know what every component takes, and must not import torch. So classes are read
from their source text.
"""

from __future__ import annotations

import ast
import functools
import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path

_MAX_HOPS = 20  # re-exports that are followed from one module to the next


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that a module imports.

    Attributes:
        module: Where from.
        name: What; empty for the module itself.
    """

    module: str
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ModuleSource:
    """A module as text: what its top-level names stand for.

    Attributes:
        name: Dotted name.
        classes: Classes it defines.
        imports: Names it imports, also those for type checkers only.
        values: Expressions that it assigns to names.
        stars: Modules of which it imports everything.
    """

    name: str
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, Imported] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    def defines(self, name: str) -> bool:
        """Whether a name stands for something here."""
        return name in self.classes or name in self.imports or name in self.values

    def star_of(self, name: str) -> Imported | None:
        """The place of a name that comes with `from module import *`."""
        for star in self.stars:
            source = read_module(star)
            if source is not None and source.defines(name):
                return Imported(star, name)
        return None


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A class as text, and the module that its names belong to."""

    node: ast.ClassDef
    module: ModuleSource


def read_module(name: str) -> ModuleSource | None:
    """The source of a module, or None where there is none to read (a C extension, a namespace).

    Neither the module nor the packages around it are imported.

    Raises:
        SyntaxError: If the source is not Python.
    """
    loaded = sys.modules.get(name)
    location = getattr(loaded, "__file__", None) if loaded is not None else _locate(name)
    if location is None or not location.endswith(".py"):
        return None
    try:
        stamp = Path(location).stat().st_mtime_ns
    except OSError:  # inside a zip archive, or gone
        return None
    return _parse(name, location, stamp)


def find_class(module_name: str, name: str) -> ClassSource | None:
    """The class that a name in a module stands for, through re-exports and plain assignments."""
    for _ in range(_MAX_HOPS):
        module = read_module(module_name)
        if module is None:
            return None
        if name in module.classes:
            return ClassSource(module.classes[name], module)
        if name in module.imports and module.imports[name].name:
            module_name, name = module.imports[name].module, module.imports[name].name
        elif isinstance(value := module.values.get(name), ast.Name):
            name = value.id
        elif (place := module.star_of(name)) is not None:
            module_name, name = place.module, place.name
        else:
            return None
    return None


def origin(expression: ast.expr, module: ModuleSource) -> Imported | None:
    """Where the thing that a dotted name stands for is defined, as far as its own module tells.

    Returns:
        Module and name; the module itself for a name that it defines; None for what is not a dotted
        name or not known, such as a builtin.
    """
    if isinstance(expression, ast.Name):
        name = expression.id
        if name in module.classes or name in module.values:
            return Imported(module.name, name)
        return module.imports.get(name) or module.star_of(name)
    if isinstance(expression, ast.Attribute):
        holder = origin(expression.value, module)
        if holder is None:
            return None
        inner = f"{holder.module}.{holder.name}" if holder.name else holder.module
        return Imported(inner, expression.attr)
    return None


def _locate(name: str) -> str | None:
    """The file of a module that is not imported, found without importing its packages."""
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        full_name = ".".join(parts[:count])
        spec = _find_spec(full_name, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    return spec.origin if spec is not None and spec.has_location else None


def _find_spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path) if find is not None else None
        if spec is not None:
            return spec
    return None


@functools.lru_cache(maxsize=512)
def _parse(name: str, location: str, stamp: int) -> ModuleSource:
    del stamp  # only tells versions of the file apart
    path = Path(location)
    tree = ast.parse(path.read_bytes(), filename=location)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    module = ModuleSource(name)
    _collect(tree.body, module, package)
    return module


def _collect(body: list[ast.stmt], module: ModuleSource, package: str) -> None:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            module.classes[statement.name] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname:
                    module.imports[alias.asname] = Imported(alias.name)
                else:
                    root = alias.name.partition(".")[0]
                    module.imports[root] = Imported(root)
        elif isinstance(statement, ast.ImportFrom):
            source = _absolute(statement, package)
            for alias in statement.names:
                if alias.name == "*":
                    module.stars.append(source)
                else:
                    module.imports[alias.asname or alias.name] = Imported(source, alias.name)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    module.values[target.id] = statement.value
        elif isinstance(statement, ast.AnnAssign):
            if isinstance(statement.target, ast.Name) and statement.value is not None:
                module.values[statement.target.id] = statement.value
        elif isinstance(statement, ast.If):
            _collect(statement.body + statement.orelse, module, package)
        elif isinstance(statement, ast.Try):
            handlers = [inner for handler in statement.handlers for inner in handler.body]
            _collect(handlers + statement.orelse + statement.body, module, package)


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, statement.module] if statement.module else kept)
