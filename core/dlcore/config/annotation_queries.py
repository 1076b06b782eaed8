"""Questions about the type of an option: what is nested in it, which keys it allows."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typing_extensions

from dlcore.config import keys
from dlcore.config.annotations import KIND_OF_INTERFACE, BlockOf, block_type
from dlcore.config.keys import Part


@dataclass(frozen=True, slots=True)
class NestedBlock:
    """A block with a `type` among the options of another component.

    Attributes:
        kind: Kind of component that belongs there.
        key: Its dotted key.
        path: The steps from the options to it.
        value: The block.
    """

    kind: str
    key: str
    path: tuple[Part, ...]
    value: dict[str, Any]


def is_union(annotation: Any) -> bool:
    """Whether it is `X | Y`, in either spelling."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def allows_none(annotation: Any) -> bool:
    """Whether None is one of its values."""
    if annotation is None or annotation is type(None) or annotation is Any:
        return True
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Annotated:
        return allows_none(arguments[0])
    if origin is typing.Literal:
        return None in arguments
    return is_union(annotation) and any(map(allows_none, arguments))


def with_blocks(annotation: Any) -> Any:
    """The same type with interface classes replaced by nested blocks."""
    if isinstance(annotation, type):
        for base in annotation.__mro__:
            kind = KIND_OF_INTERFACE.get(base.__name__)
            if kind is not None and base.__module__.startswith("dlcore.interfaces"):
                return block_type(kind)
        return annotation
    origin = typing.get_origin(annotation)
    if origin is None or origin is typing.Literal or origin is Annotated:
        return annotation
    inner = tuple(with_blocks(argument) for argument in typing.get_args(annotation))
    try:
        return typing.Union[inner] if is_union(annotation) else origin[inner]  # noqa: UP007
    except TypeError:
        return Any


def find_blocks(
    annotation: Any, value: Any, key: str, path: tuple[Part, ...]
) -> Iterator[NestedBlock]:
    """The outermost blocks in a value of that type."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Annotated:
        marks = [mark for mark in arguments[1:] if isinstance(mark, BlockOf)]
        if not marks:
            yield from find_blocks(arguments[0], value, key, path)
        elif isinstance(value, dict):
            yield NestedBlock(marks[0].kind, key, path, value)
    elif is_union(annotation):
        for argument in arguments:
            found = list(find_blocks(argument, value, key, path))
            if found:
                yield from found
                return
    elif isinstance(value, list | tuple) and arguments:
        for index, item in enumerate(value):
            place = keys.join(key, index)
            yield from find_blocks(arguments[0], item, place, (*path, index))
    elif isinstance(value, dict) and len(arguments) == 2:
        for name, item in value.items():
            place = keys.join(key, name)
            yield from find_blocks(arguments[1], item, place, (*path, name))


def known_keys(annotation: Any, place: tuple[Part, ...]) -> list[str]:
    """The keys that models and TypedDicts allow at a place inside a value of that type."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (Annotated, typing_extensions.Required, typing_extensions.NotRequired):
        return known_keys(arguments[0], place)
    if is_union(annotation):
        return sorted({name for item in arguments for name in known_keys(item, place)})
    if arguments:
        return known_keys(arguments[-1 if origin is dict else 0], place[1:]) if place else []
    fields = _fields(annotation)
    if not place:
        return list(fields)
    return known_keys(fields.get(str(place[0])), place[1:])


def _fields(annotation: Any) -> dict[str, Any]:
    if typing_extensions.is_typeddict(annotation):
        return dict(annotation.__annotations__)
    model_fields = getattr(annotation, "model_fields", None) or {}
    return {name: info.annotation for name, info in model_fields.items()}
