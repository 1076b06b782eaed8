"""What a class's constructor takes, read from its source text."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dlcore.config.source import ClassSource, Imported, ModuleSource, find_class, origin

_WITHOUT_OPTIONS = {
    Imported("abc", "ABC"),
    Imported("typing", "Generic"),
    Imported("typing", "Protocol"),
    Imported("torch.nn", "Module"),
    Imported("torch.nn.modules.module", "Module"),
}
"""Bases whose constructors take nothing that YAML could set."""

_ARGUMENT = re.compile(r"(\*{0,2}\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a constructor.

    Attributes:
        name: Its name.
        annotation: Its annotation as text in a tree, None where it has none.
        default: Its default likewise; None where it is required.
        module: The module in which both are to be understood.
        description: What the docstring says about it.
    """

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    module: ModuleSource
    description: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a constructor takes.

    Attributes:
        positional: Parameters that may be given by position, without `self`.
        keyword_only: The others, own ones first, then those that `**kwargs` hands to bases.
        is_open: Whether any further keyword is taken.
        docstring: That of the class, dedented; may be empty.
    """

    positional: tuple[Parameter, ...]
    keyword_only: tuple[Parameter, ...]
    is_open: bool
    docstring: str


def read_signature(cls: ClassSource) -> Signature | None:
    """The constructor's signature, following `**kwargs` that are passed on to `super().__init__`.

    Returns:
        None if the text does not tell: the constructor is made by a decorator, or inherited from a
        class whose source is not at hand.
    """
    classes = list(linearise(cls))
    docs: dict[str, str] = {}
    for item in classes:
        if isinstance(item, ClassSource):
            docs = _described(item) | docs
    positional: tuple[Parameter, ...] | None = None
    keyword_only: dict[str, Parameter] = {}
    given: set[str] = set()  # by a subclass, to the constructor above it
    for item in classes:
        if isinstance(item, Imported):
            if item in _WITHOUT_OPTIONS:
                continue
            if positional is None:
                return None
            return _signature(cls, positional, keyword_only, is_open=True)
        constructor = _constructor(item.node)
        if constructor is None:
            if positional is None and _is_dataclass(item.node):
                return None
            continue
        arguments = constructor.args
        if positional is None:
            positional = tuple(_positional(arguments, item.module, docs))[1:]
        for parameter in _keyword_only(arguments, item.module, docs):
            if parameter.name not in given:
                keyword_only.setdefault(parameter.name, parameter)
        if arguments.kwarg is None:
            break
        passed_on = _passed_on(constructor, arguments.kwarg.arg)
        if passed_on is None:
            return _signature(cls, positional, keyword_only, is_open=True)
        given |= passed_on
    return _signature(cls, positional or (), keyword_only, is_open=False)


def _signature(
    cls: ClassSource,
    positional: tuple[Parameter, ...],
    keyword_only: dict[str, Parameter],
    *,
    is_open: bool,
) -> Signature:
    docstring = ast.get_docstring(cls.node) or ""
    return Signature(positional, tuple(keyword_only.values()), is_open, docstring)


def linearise(cls: ClassSource) -> Iterator[ClassSource | Imported]:
    """The class and its bases in the order in which Python looks attributes up.

    A base whose source is not at hand comes as the name it was imported by. Depth first, a class
    that is reached twice where it is reached last: the order of Python in all but knotted cases.
    """
    found: list[tuple[object, ClassSource | Imported]] = []

    def visit(item: ClassSource | Imported, depth: int) -> None:
        found.append((id(item.node) if isinstance(item, ClassSource) else item, item))
        if isinstance(item, ClassSource) and depth < 30:
            for base in item.node.bases:
                visit(_base(base, item.module), depth + 1)

    visit(cls, 0)
    last = {identity: index for index, (identity, _) in enumerate(found)}
    for index, (identity, item) in enumerate(found):
        if last[identity] == index and item != Imported("builtins", "object"):
            yield item


def _base(expression: ast.expr, module: ModuleSource) -> ClassSource | Imported:
    if isinstance(expression, ast.Subscript):  # Generic[T], Base[int]
        expression = expression.value
    place = origin(expression, module)
    if place is None:
        return Imported("builtins", ast.unparse(expression))
    if place in _WITHOUT_OPTIONS or place.module.partition(".")[0] == "torch":
        return Imported("torch.nn", "Module") if _is_module(place) else place
    return find_class(place.module, place.name) or place


def _is_module(place: Imported) -> bool:
    return place.name == "Module" and place.module.startswith("torch.nn")


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return statement
    return None


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def _positional(
    arguments: ast.arguments, module: ModuleSource, docs: dict[str, str]
) -> Iterator[Parameter]:
    both = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(both) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(both, defaults, strict=True):
        description = docs.get(argument.arg, "")
        yield Parameter(argument.arg, argument.annotation, default, module, description)


def _keyword_only(
    arguments: ast.arguments, module: ModuleSource, docs: dict[str, str]
) -> Iterator[Parameter]:
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        description = docs.get(argument.arg, "")
        yield Parameter(argument.arg, argument.annotation, default, module, description)


def _passed_on(constructor: ast.FunctionDef, kwargs: str) -> set[str] | None:
    """Names given explicitly where `**kwargs` goes to a base's constructor; None if it does not."""
    for node in ast.walk(constructor):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "__init__":
            continue
        starred = [k.value for k in node.keywords if k.arg is None]
        if any(isinstance(value, ast.Name) and value.id == kwargs for value in starred):
            return {keyword.arg for keyword in node.keywords if keyword.arg is not None}
    return None


def _described(cls: ClassSource) -> dict[str, str]:
    """Descriptions of parameters in the docstrings of a class and of its constructor."""
    constructor = _constructor(cls.node)
    texts = [ast.get_docstring(cls.node)]
    if constructor is not None:
        texts.append(ast.get_docstring(constructor))
    found: dict[str, str] = {}
    for text in texts:
        found |= describe_arguments(text or "")
    return found


def describe_arguments(docstring: str) -> dict[str, str]:
    """What the `Args:` section of a Google-style docstring says, by parameter."""
    lines = inspect.cleandoc(docstring).splitlines()
    if "Args:" not in lines:
        return {}
    found: dict[str, list[str]] = {}
    indent: int | None = None
    current: list[str] = []
    for line in lines[lines.index("Args:") + 1 :]:
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            break
        if indent is None:
            indent = depth
        match = _ARGUMENT.match(line.strip()) if depth == indent else None
        if match is not None:
            current = found.setdefault(match[1].lstrip("*"), [])
            current.append(match[2])
        else:
            current.append(line.strip())
    return {name: " ".join(part for part in parts if part) for name, parts in found.items()}
