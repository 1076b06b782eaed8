"""From a block of a config to the object that it describes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dlcore.config import keys
from dlcore.config.options import OptionsSpec, read_options
from dlcore.config.places import own_options, transform_options
from dlcore.errors import ComponentError, ConfigError, DlcoreError, Problem
from dlcore.hookspecs import singular
from dlcore.interfaces import INTERFACES, PoseTask, Transform
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

SUPPLIED: dict[str, tuple[str, ...]] = {
    "necks": ("features",),
    "heads": ("features", "task"),
    "predictors": ("task",),
    "target_generators": ("task",),
    "loggers": ("run",),
    "schedulers": ("optimizer",),
    "transforms": ("task",),
    "datasets": ("context",),
    "runners": ("model", "task", "autocast"),
    "prediction_writers": ("job",),
    "trackers": ("task",),
    "evaluation_writers": ("job",),
    "inference_backends": ("path", "device"),
}
"""What the engine hands to the constructors of each kind, by position."""


def build(
    host: PluginHost,
    kind: str,
    block: Mapping[str, Any],
    *supplied: object,
    key: str = "",
    **defaults: Any,
) -> Any:
    """Build the component that a block describes.

    Blocks among its options become components too, which are handed those of `supplied` that their
    kind takes.

    Args:
        host: Where components are found.
        kind: One of `dlcore.hookspecs.KINDS`.
        block: `type` and options, placeholders resolved. Keys that belong to the engine, such as
            the `predictor` of a head, are left aside.
        supplied: What the engine hands to the constructor, by position.
        key: Dotted key of the block, for errors.
        defaults: Options for which the engine has a value, where the component takes them and the
            block leaves them out or null; blocks of the same kind inside it get them too.

    Returns:
        An instance of `INTERFACES[kind]`.

    Raises:
        ConfigError: If there is no such component, its options are wrong, or its constructor
            refuses them.
        ComponentError: If the component cannot be imported or breaks its interface.
    """
    name = block.get("type")
    if not isinstance(name, str):
        raise ConfigError([Problem(key, f"missing key 'type', the name of a {singular(kind)}")])
    entry = _find(host, kind, name, keys.join(key, "type"))
    spec = read_options(entry.component)
    options = own_options(kind, block, spec)
    return _construct(host, kind, entry, spec, options, supplied, key, defaults)


def build_transform(host: PluginHost, name: str, value: Any, task: PoseTask, key: str) -> Transform:
    """Build a transform from its key and value in `data.train` or `data.inference`.

    Args:
        host: Where components are found.
        name: The transform's key.
        value: `True` for its defaults, a map of options, or a value for its first option.
        task: The names of the keypoints.
        key: Dotted key of the value, for errors.

    Raises:
        ConfigError: As `build`.
        ComponentError: As `build`.
    """
    entry = _find(host, "transforms", name, key)
    spec = read_options(entry.component)
    options = transform_options(value, spec)
    built: Transform = _construct(host, "transforms", entry, spec, options, (task,), key, {})
    return built


def _find(host: PluginHost, kind: str, name: str, key: str) -> Entry:
    try:
        return host.find(kind, name)
    except ComponentError as error:
        raise ConfigError([Problem(key, str(error))]) from error


def _construct(
    host: PluginHost,
    kind: str,
    entry: Entry,
    spec: OptionsSpec,
    options: dict[str, Any],
    supplied: tuple[object, ...],
    key: str,
    defaults: Mapping[str, Any],
) -> Any:
    for name, value in defaults.items():
        if name in spec.options and options.get(name) is None:
            options[name] = value
    checked, found = spec.validate(options, key)
    if found:
        raise ConfigError(found)
    for nested in list(spec.nested(checked, key)):
        handed_on = _handed_on(kind, nested.kind, supplied, nested.key)
        passed_on = defaults if nested.kind == kind else {}
        inner = build(host, nested.kind, nested.value, *handed_on, key=nested.key, **passed_on)
        checked = _replaced(checked, nested.path, inner)
    cls = _load(kind, entry)
    try:
        return cls(*supplied, **checked)
    except DlcoreError:
        raise
    except ValidationError as error:  # of a model that the constructor makes itself
        raise ConfigError([_from_model(details, key) for details in error.errors()]) from error
    except (ValueError, TypeError) as error:
        place = _place(str(error), spec.options, key)
        raise ConfigError([Problem(place, str(error) or type(error).__name__)]) from error


def _load(kind: str, entry: Entry) -> type:
    cls = entry.component.load()
    interface = INTERFACES[kind]
    if not issubclass(cls, interface):
        raise ComponentError(
            f"{entry.qualified_name} ({entry.component.target}) is offered as a {singular(kind)}, "
            f"but is no subclass of dlcore.interfaces.{interface.__name__}"
        )
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise ComponentError(
            f"{entry.qualified_name} ({entry.component.target}) does not define "
            f"{', '.join(missing)}, which every {singular(kind)} needs"
        )
    return cls


def _handed_on(
    kind: str, nested_kind: str, supplied: tuple[object, ...], key: str
) -> tuple[object, ...]:
    """What of the outer component's positional arguments a nested one takes."""
    at_hand = dict(zip(SUPPLIED.get(kind, ()), supplied, strict=False))
    wanted = SUPPLIED.get(nested_kind, ())
    missing = [name for name in wanted if name not in at_hand]
    if missing:
        message = (
            f"a {singular(nested_kind)} cannot be nested in a {singular(kind)}: "
            f"there is no {missing[0]} for it"
        )
        raise ConfigError([Problem(key, message)])
    return tuple(at_hand[name] for name in wanted)


def _replaced(value: Any, path: tuple[keys.Part, ...], new: Any) -> Any:
    """The same options with something else at one place."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {**value, first: _replaced(value[first], rest, new)}
    items = [_replaced(v, rest, new) if i == first else v for i, v in enumerate(value)]
    return tuple(items) if isinstance(value, tuple) else items


def _from_model(details: ErrorDetails, key: str) -> Problem:
    place = [part for part in details["loc"] if isinstance(part, str | int)]
    message = details["msg"].removeprefix("Value error, ")
    return Problem(keys.join_all(key, place), message[:1].lower() + message[1:])


def _place(message: str, options: Iterable[str], key: str) -> str:
    """The key of the option that a message speaks of first, or that of the block."""
    words = re.findall(r"\w+", message)
    named = [word for word in words if word in set(options)]
    return keys.join(key, named[0]) if named else key
