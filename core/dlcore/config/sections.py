"""The base of all sections of the schema: closed, and null is as good as missing."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from dlcore.config.attribute_docs import attribute_docs
from dlcore.config.keys import Part


class Documented(BaseModel):
    """A model whose fields are described by the strings under them.

    What pydantic's `use_attribute_docstrings` does, but when a JSON Schema is asked for: reading
    them when the class is made takes 13 ms a class.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """With the strings under the attributes as descriptions."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in attribute_docs(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


class Section(Documented):
    """A map whose keys are known.

    An unknown key is an error, and null means the default: DeepLabCut writes every key that it
    knows, and leaves those blank that are not set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        return {
            name: value
            for name, value in values.items()
            if value is not None or name not in fields or fields[name].is_required()
        }


class AsDict:
    """Marks a plain dict that is checked, and completed with defaults, like a section.

    For maps that are handed to components, which know nothing of the schema.
    """

    def __init__(self, section: type[Section]) -> None:
        self.section = section

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check as the section, then dump."""
        return core_schema.no_info_after_validator_function(
            lambda section: section.model_dump(),
            handler.generate_schema(self.section),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )


def section_at(section: type[Section], place: Iterable[Part]) -> type[Section] | None:
    """The section that describes the map at a place inside another, if there is one."""
    found: type[Section] | None = section
    for part in place:
        if found is None:
            return None
        if isinstance(part, int):
            continue
        info = found.model_fields.get(part)
        if info is None:
            return None
        marks = [mark.section for mark in info.metadata if isinstance(mark, AsDict)]
        found = marks[0] if marks else _inner(info.annotation)
    return found


def _inner(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is Annotated:
        marks = [mark.section for mark in arguments[1:] if isinstance(mark, AsDict)]
        return marks[0] if marks else _inner(arguments[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list):
        for argument in arguments:
            found = _inner(argument)
            if found is not None:
                return found
    return None
