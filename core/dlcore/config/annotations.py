"""From the text of an annotation to a type that values can be checked against.

Names are understood without importing what could import torch: those of the standard typing
modules, pydantic and modules called `options` are imported, aliases and TypedDicts are read from
the source, interfaces of dlcore become nested blocks, and whatever is left takes any value.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import importlib
import operator
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic
import typing_extensions

from dlcore.config.scalars import Bool, Float, Int, Number, Str
from dlcore.config.source import Imported, ModuleSource, find_class, origin, read_module
from dlcore.errors import ComponentImportError

KIND_OF_INTERFACE: dict[str, str] = {
    "Backbone": "backbones",
    "Neck": "necks",
    "Head": "heads",
    "Predictor": "predictors",
    "TargetGenerator": "target_generators",
    "Detector": "detectors",
    "Logger": "loggers",
    "Scheduler": "schedulers",
    "Criterion": "criteria",
    "WeightInitializer": "weight_initializers",
    "Transform": "transforms",
    "GeometricTransform": "transforms",
    "Collate": "collates",
    "PoseDataset": "datasets",
    "Runner": "runners",
    "NetType": "net_types",
    "Callback": "callbacks",
    "PredictionWriter": "prediction_writers",
    "Tracker": "trackers",
    "EvaluationWriter": "evaluation_writers",
    "Exporter": "exporters",
    "InferenceBackend": "inference_backends",
}
"""Interface classes by name, because importing `dlcore.interfaces` would import torch."""

_IMPORTED = {
    "builtins",
    "typing",
    "typing_extensions",
    "collections",
    "pydantic",
    "annotated_types",
    "pathlib",
}
_RUNTIME_ONLY = {"torch", "torchvision", "numpy", "cv2", "PIL", "pandas"}
_MAX_DEPTH = 30


@dataclass(frozen=True, slots=True)
class BlockOf:
    """Marks an option that is a block with a `type` of that kind."""

    kind: str


class _NotInYaml:
    """Stands for a type that no YAML value can have, such as a tensor."""


Block = dict[str, Any]


def block_type(kind: str) -> Any:
    """The type of an option that names a component of `kind`."""
    schema = {"type": "object", "x-dlcore-kind": kind}
    return Annotated[Block, BlockOf(kind), pydantic.WithJsonSchema(schema)]


def evaluate(expression: ast.expr | None, module: ModuleSource) -> Any:
    """The type that an annotation in a module's source stands for; `Any` where that is unknown.

    Raises:
        ComponentImportError: If a module named `options` cannot be imported.
    """
    if expression is None:
        return Any
    found = _Evaluator(module, 0).evaluate(expression)
    return Any if found is _NotInYaml else strict(found)


def strict(annotation: Any, *, beside_text: bool = False) -> Any:
    """The same type with the config's rules for scalars, containers and TypedDicts.

    Args:
        annotation: A type.
        beside_text: Whether text is allowed too, so that numbers in quotes stay text.
    """
    if annotation in (int, float, bool, str):
        if annotation is float and beside_text:
            return Number
        return {int: Int, float: Float, bool: Bool, str: Str}[annotation]
    if annotation in (object, Any):
        return Any
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if typing_extensions.is_typeddict(annotation):
        return _closed_typed_dict(annotation)
    base = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if base is None or base is Literal:
        return annotation
    if base is collections.abc.Callable:
        return Any
    if base is Annotated:
        if arguments[0] in (int, float):
            inner = strict(arguments[0], beside_text=beside_text)
            first, *last = typing.get_args(inner)[1:]  # strictness, coercion
            return _annotate(arguments[0], (first, *arguments[1:], *last))
        inner = strict(arguments[0], beside_text=beside_text)
        return _annotate(inner, arguments[1:])
    if base in (typing.Union, types.UnionType):
        has_text = str in arguments
        return typing.Union[tuple(strict(a, beside_text=has_text) for a in arguments)]  # noqa: UP007
    base = _CONTAINERS.get(base, base)
    inner_types = tuple(a if a is Ellipsis or isinstance(a, list) else strict(a) for a in arguments)
    try:
        return base[inner_types]
    except TypeError:
        return Any


def _annotate(base: Any, metadata: Iterable[Any]) -> Any:
    return operator.getitem(Annotated, (base, *metadata))


_PLAIN: dict[Any, Any] = {
    list: list[Any],
    dict: dict[str, Any],
    tuple: tuple[Any, ...],
    collections.abc.Sequence: list[Any],
    collections.abc.Mapping: dict[str, Any],
    collections.abc.Callable: Any,
    typing.Callable: Any,
    typing.Sequence: list[Any],
    typing.Mapping: dict[str, Any],
    typing.List: list[Any],  # noqa: UP006
    typing.Dict: dict[str, Any],  # noqa: UP006
    typing.Tuple: tuple[Any, ...],  # noqa: UP006
}

_CONTAINERS: dict[Any, Any] = {
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.MutableSequence: list,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}


def _closed_typed_dict(annotation: Any) -> Any:
    hints = typing_extensions.get_type_hints(annotation, include_extras=True)
    fields = {name: (hint, name in annotation.__required_keys__) for name, hint in hints.items()}
    return _typed_dict(annotation.__name__, fields, annotation.__doc__)


def _typed_dict(name: str, fields: dict[str, tuple[Any, bool]], doc: str | None) -> Any:
    """A TypedDict that refuses further keys. `fields`: type, and whether the key is required."""
    annotations = {
        key: typing_extensions.Required[strict(_bare(hint))]
        if required
        else typing_extensions.NotRequired[strict(_bare(hint))]
        for key, (hint, required) in fields.items()
    }
    make: Any = typing_extensions.TypedDict
    made = make(name, annotations)
    made.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
    made.__doc__ = doc
    return made


def _bare(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing_extensions.Required, typing_extensions.NotRequired):
        return typing.get_args(hint)[0]
    return hint


class _Evaluator:
    """Evaluates annotations in the scope of one module."""

    def __init__(self, module: ModuleSource, depth: int) -> None:
        self._module = module
        self._depth = depth

    def evaluate(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._name(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _union([self.evaluate(node.left), self.evaluate(node.right)])
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        return Any

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None:
            return type(None)
        if isinstance(node.value, str):  # a forward reference
            try:
                return self.evaluate(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                return Any
        return ... if node.value is Ellipsis else Any

    def _name(self, node: ast.Name | ast.Attribute) -> Any:
        place = origin(node, self._module)
        if place is None:
            found = getattr(builtins, node.id, Any) if isinstance(node, ast.Name) else Any
            return found if isinstance(found, type) else Any
        return self._imported(place)

    def _imported(self, place: Imported) -> Any:
        if self._depth > _MAX_DEPTH:
            return Any
        root = place.module.partition(".")[0]
        if root in _RUNTIME_ONLY:
            return _NotInYaml
        if root in _IMPORTED or place.module.rpartition(".")[2] == "options":
            return _import(place)
        if place.module.startswith("dlcore.interfaces") and place.name in KIND_OF_INTERFACE:
            return block_type(KIND_OF_INTERFACE[place.name])
        module = read_module(place.module)
        if module is None:
            return Any
        inner = _Evaluator(module, self._depth + 1)
        if place.name in module.values:
            return inner.evaluate(module.values[place.name])
        if place.name in module.classes:
            return inner.typed_dict(module.classes[place.name])
        if place.name in module.imports:
            return inner._imported(module.imports[place.name])
        return Any

    def typed_dict(self, node: ast.ClassDef) -> Any:
        """A TypedDict made from its source; `Any` for other classes."""
        fields = self._fields(node)
        return Any if fields is None else _typed_dict(node.name, fields, ast.get_docstring(node))

    def _fields(self, node: ast.ClassDef) -> dict[str, tuple[Any, bool]] | None:
        fields: dict[str, tuple[Any, bool]] = {}
        is_typed_dict = False
        for base in node.bases:
            place = origin(base, self._module)
            if place is not None and place.name == "TypedDict":
                is_typed_dict = True
            elif place is not None and self._depth < _MAX_DEPTH:
                parent = find_class(place.module, place.name)
                if parent is not None:
                    inherited = _Evaluator(parent.module, self._depth + 1)._fields(parent.node)
                    is_typed_dict = is_typed_dict or inherited is not None
                    fields |= inherited or {}
        if not is_typed_dict:
            return None
        total = all(
            not (k.arg == "total" and isinstance(k.value, ast.Constant) and k.value.value is False)
            for k in node.keywords
        )
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                annotation, required = statement.annotation, total
                if isinstance(annotation, ast.Subscript):
                    outer = origin(annotation.value, self._module)
                    if outer is not None and outer.name in ("Required", "NotRequired"):
                        annotation, required = annotation.slice, outer.name == "Required"
                found = self.evaluate(annotation)
                fields[statement.target.id] = (Any if found is _NotInYaml else found, required)
        return fields

    def _subscript(self, node: ast.Subscript) -> Any:
        outer = self.evaluate(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer is Literal:
            return self._literal(inner)
        if outer is Annotated:
            return self._annotated(inner)
        arguments = [self.evaluate(item) for item in inner]
        if outer in (typing.Union, typing.Optional):
            extra = [type(None)] if outer is typing.Optional else []
            return _union([*arguments, *extra])
        if outer is Any or outer is _NotInYaml:
            return outer
        arguments = [Any if argument is _NotInYaml else argument for argument in arguments]
        try:
            return outer[tuple(arguments) if len(arguments) > 1 else arguments[0]]
        except TypeError:
            return Any

    def _literal(self, nodes: list[ast.expr]) -> Any:
        try:
            return Literal[tuple(ast.literal_eval(node) for node in nodes)]
        except (ValueError, TypeError):
            return Any

    def _annotated(self, nodes: list[ast.expr]) -> Any:
        base = self.evaluate(nodes[0])
        if base is _NotInYaml:
            return base
        marks = [self._mark(node) for node in nodes[1:]]
        known = [mark for mark in marks if mark is not None]
        return _annotate(base, known) if known else base

    def _mark(self, node: ast.expr) -> Any:
        """Metadata of `Annotated` that pydantic understands: a call with plain arguments."""
        return self._plain_call(node) if isinstance(node, ast.Call) else None

    def _call(self, node: ast.Call) -> Any:
        made = self._plain_call(node)  # conint(gt=0), for example
        return Any if made is None else made

    def _plain_call(self, node: ast.Call) -> Any:
        place = origin(node.func, self._module)
        if place is None or place.module.partition(".")[0] not in ("pydantic", "annotated_types"):
            return None
        function = _import(place)
        if not callable(function):
            return None
        try:
            positional = [ast.literal_eval(argument) for argument in node.args]
            named = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
            return function(*positional, **named)
        except (ValueError, TypeError):
            return None


def _union(members: list[Any]) -> Any:
    usable = [member for member in members if member is not _NotInYaml]
    if all(member is type(None) for member in usable):
        return Any
    return typing.Union[tuple(usable)]  # noqa: UP007


def _import(place: Imported) -> Any:
    try:
        module = importlib.import_module(place.module)
        found = getattr(module, place.name) if place.name else module
    except Exception as error:
        raise ComponentImportError(
            f"importing {place.module}:{place.name} failed: {type(error).__name__}: {error}"
        ) from error
    return found
