"""What a component takes from YAML: its keyword-only parameters, read without importing it."""

from __future__ import annotations

import ast
import functools
import inspect
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dlcore.component import Component
from dlcore.config import keys, problems
from dlcore.config.annotation_queries import (
    NestedBlock,
    allows_none,
    find_blocks,
    known_keys,
    with_blocks,
)
from dlcore.config.annotations import evaluate, strict
from dlcore.config.signatures import Parameter, Signature, describe_arguments, read_signature
from dlcore.config.source import ClassSource, ModuleSource, find_class
from dlcore.errors import ComponentImportError, Problem


class _Unknown:
    """A default that the source does not spell out."""

    def __repr__(self) -> str:
        return "..."


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: Its key in YAML.
        annotation: The type that values are checked against.
        required: Whether it must be given.
        default: Its default; `UNKNOWN` when it is required or not spelt out in the source.
        annotation_text: The annotation as it is written.
        default_text: The default as it is written; empty when it is required.
        description: What the docstring says about it.
    """

    name: str
    annotation: Any
    required: bool
    default: Any = UNKNOWN
    annotation_text: str = ""
    default_text: str = ""
    description: str = ""

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What checks and coerces values."""
        return TypeAdapter(self.annotation)

    @functools.cached_property
    def allows_null(self) -> bool:
        """Whether null is a value of its own, and not just another way to leave the option out."""
        return allows_none(self.annotation)


@dataclass(frozen=True)
class OptionsSpec:
    """All options of one component.

    Attributes:
        options: By name, in the order of the signature.
        is_open: Whether further keys are taken as well.
        supplied: Names of the positional parameters, which the engine supplies.
        docstring: That of the class.
    """

    options: Mapping[str, Option] = field(default_factory=dict)
    is_open: bool = False
    supplied: tuple[str, ...] = ()
    docstring: str = ""

    def takes(self, name: str) -> bool:
        """Whether the component takes an option of that name."""
        return name in self.options or self.is_open

    @property
    def first(self) -> str | None:
        """The option that a bare value sets, as in `gaussian_noise: 12.75`."""
        return next(iter(self.options), None)

    def validate(
        self, values: Mapping[str, Any], key: str, others: Iterable[str] = ()
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Check and coerce options.

        Null counts as missing, except where the option's annotation allows None.

        Args:
            values: Options as in YAML, without `type`.
            key: Dotted key of the block, for the problems.
            others: Further keys that may stand in the block, to suggest them.

        Returns:
            The options to construct the component with (those that are given), and what is wrong.
        """
        checked: dict[str, Any] = {}
        found: list[Problem] = []
        known = [*self.options, *others]
        for name, value in values.items():
            place = keys.join(key, name)
            option = self.options.get(name)
            if option is None:
                if self.is_open:
                    checked[name] = value
                else:
                    found.append(Problem(place, keys.unknown_key(name, known)))
                continue
            if value is None and not option.allows_null:
                if option.required:
                    found.append(Problem(place, f"the option {name!r} needs a value, not null"))
                continue
            try:
                checked[name] = option.adapter.validate_python(value)
            except ValidationError as error:
                inside = functools.partial(known_keys, option.annotation)
                found += problems.from_validation(error, value, place, inside)
        meant = {keys.nearest(name, known) for name in values if name not in self.options}
        for name, option in self.options.items():
            if option.required and name not in values and name not in meant:
                found.append(Problem(key, f"missing key {name!r}"))
        return checked, found

    def nested(self, values: Mapping[str, Any], key: str) -> Iterator[NestedBlock]:
        """The blocks of other components among the options, outermost only."""
        for name, option in self.options.items():
            value = values.get(name)
            if value is not None:
                place = keys.join(key, name)
                yield from find_blocks(option.annotation, value, place, (name,))


def read_options(component: Component) -> OptionsSpec:
    """The options of a component.

    They are read from its source; only a class whose source is not at hand is imported.

    Raises:
        ComponentImportError: If there is no such class, or its module is broken.
    """
    try:
        return _read(component)
    except SyntaxError as error:
        raise ComponentImportError(
            f"component {component.name!r} is registered, but {component.module_name} is not "
            f"valid Python: {error}"
        ) from error


def _read(component: Component) -> OptionsSpec:
    cls = find_class(component.module_name, component.class_name)
    spec = _from_source(cls.node, cls.module) if cls is not None else None
    return options_of_class(component.load()) if spec is None else spec


@functools.lru_cache(maxsize=512)
def _from_source(node: ast.ClassDef, module: ModuleSource) -> OptionsSpec | None:
    signature = read_signature(ClassSource(node, module))
    return None if signature is None else options_from(signature, signature.keyword_only)


def options_from(signature: Signature, parameters: tuple[Parameter, ...]) -> OptionsSpec:
    """The options that some parameters of a signature make."""
    return OptionsSpec(
        options={parameter.name: _option(parameter) for parameter in parameters},
        is_open=signature.is_open,
        supplied=tuple(parameter.name for parameter in signature.positional),
        docstring=signature.docstring,
    )


def options_of_class(cls: type) -> OptionsSpec:
    """The options of a class that is imported."""
    constructor: Any = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(constructor)
    try:
        hints = typing.get_type_hints(constructor, include_extras=True)
    except Exception:  # noqa: BLE001  an annotation may name anything; then it is not checked
        hints = {}
    docs = describe_arguments(inspect.getdoc(cls) or "")
    options = {}
    parameters = list(signature.parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            required = parameter.default is inspect.Parameter.empty
            hint = with_blocks(hints.get(parameter.name, Any))
            options[parameter.name] = Option(
                name=parameter.name,
                annotation=strict(hint),
                required=required,
                default=UNKNOWN if required else parameter.default,
                annotation_text=inspect.formatannotation(hint) if hint is not Any else "",
                default_text="" if required else repr(parameter.default),
                description=docs.get(parameter.name, ""),
            )
    supplied = [
        parameter.name
        for parameter in parameters
        if parameter.kind
        in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    is_open = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    docstring = inspect.cleandoc(cls.__doc__) if cls.__doc__ else ""
    return OptionsSpec(options, is_open, tuple(supplied), docstring)


def _option(parameter: Parameter) -> Option:
    default = parameter.default
    return Option(
        name=parameter.name,
        annotation=evaluate(parameter.annotation, parameter.module),
        required=default is None,
        default=UNKNOWN if default is None else _literal(default, parameter),
        annotation_text=ast.unparse(parameter.annotation) if parameter.annotation else "",
        default_text=ast.unparse(default) if default is not None else "",
        description=parameter.description,
    )


def _literal(expression: ast.expr, parameter: Parameter) -> Any:
    if isinstance(expression, ast.Name):
        expression = parameter.module.values.get(expression.id, expression)
    try:
        return ast.literal_eval(expression)
    except ValueError:
        return UNKNOWN
