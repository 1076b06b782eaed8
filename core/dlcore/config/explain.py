"""Where each value of a config comes from, with the defaults of components filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcore.config import keys
from dlcore.config.attribute_docs import attribute_docs
from dlcore.config.components import optimizer_options, scheduler_options
from dlcore.config.loading import LoadedConfig, Provenance
from dlcore.config.options import UNKNOWN, Option, OptionsSpec, read_options
from dlcore.config.places import (
    Place,
    find_places,
    initializer_block,
    own_options,
    transform_options,
)
from dlcore.config.schema import RunConfig
from dlcore.config.sections import section_at
from dlcore.errors import ConfigError, Problem
from dlcore.plugin_host import PluginHost

_DEFAULT = Provenance("default")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One value of a config.

    Attributes:
        key: Its dotted key.
        value: The value; the source text of a default that is not a plain value.
        provenance: Where it comes from.
        component: Whose option it is, such as "heatmap/HeatmapHead" or "torch.optim.AdamW"; None
            for keys of the engine.
        description: What it means; may be empty.
    """

    key: str
    value: Any
    provenance: Provenance
    component: str | None = None
    description: str = ""


def explain(loaded: LoadedConfig, host: PluginHost, key: str | None = None) -> list[Explanation]:
    """Every value of a config in the order of the schema, or those at and below one key.

    Args:
        loaded: The config.
        host: The plugins it was loaded with.
        key: A dotted key; None for all.

    Raises:
        ConfigError: If there is no such key.
    """
    values = loaded.config.model_dump()
    found = list(_Explainer(loaded, host, values).visit(values, ""))
    if key is None:
        return found
    selected = [item for item in found if _is_within(item.key, key)]
    return selected or [_item(found, values, loaded, key)]


def _item(
    found: list[Explanation], values: dict[str, Any], loaded: LoadedConfig, key: str
) -> Explanation:
    """An item of a list, or an empty map, which are no values of their own in `found`."""
    try:
        value = keys.look_up(values, keys.split(key))
    except (ValueError, LookupError):
        known = {inner for item in found for inner in _outer_keys(item.key)}
        near = keys.nearest(key, known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ConfigError([Problem("", f"there is no key {key!r}{hint}")], loaded.path) from None
    return Explanation(key, value, loaded.provenance.get(key, _DEFAULT))


def _outer_keys(key: str) -> Iterator[str]:
    while key:
        yield key
        key = keys.parent(key)


def _is_within(key: str, outer: str) -> bool:
    return key == outer or key.startswith((f"{outer}.", f"{outer}["))


class _Explainer:
    """Walks through the values, adding the options that components have by default."""

    def __init__(self, loaded: LoadedConfig, host: PluginHost, values: dict[str, Any]) -> None:
        self._provenance = loaded.provenance
        self._host = host
        self._options: dict[str, tuple[str, OptionsSpec]] = {}  # by key of the block
        self._added: dict[str, list[Explanation]] = {}
        for place in find_places(values):
            self._learn(place)

    def visit(self, value: Any, key: str) -> Iterator[Explanation]:
        if isinstance(value, Mapping) and value:
            for name, item in value.items():
                yield from self.visit(item, keys.join(key, str(name)))
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                yield from self.visit(item, keys.join(key, index))
        elif key not in self._added or value != {}:
            yield self._explain(key, value)
        yield from self._added.get(key, ())

    def _explain(self, key: str, value: Any) -> Explanation:
        provenance = self._provenance.get(key, _DEFAULT)
        outer = keys.parent(key)
        component, spec = self._options.get(outer, (None, None))
        option = spec.options.get(key[len(outer) + 1 :]) if spec is not None else None
        if option is None or component is None:
            return Explanation(key, value, provenance, None, _described(key))
        if value is None and not option.allows_null:
            return _default_of(option, key, component)
        return Explanation(key, value, provenance, component, option.description)

    def _learn(self, place: Place) -> None:
        if place.kind in ("optimizers", "schedulers"):
            self._learn_from_torch(place)
            return
        if place.kind == "runners":
            return
        block = place.value
        if place.kind == "weight_initializers":
            block = initializer_block(self._host, block)
        entry = self._host.find(place.kind, place.name or block["type"])
        spec = read_options(entry.component)
        if place.kind == "transforms":
            options = transform_options(block, spec)
        else:
            options = own_options(place.kind, block, spec)
        self._add(place.key, entry.qualified_name, spec, options)
        for nested in spec.nested(options, place.key):
            self._learn(Place(nested.kind, nested.key, nested.value))

    def _learn_from_torch(self, place: Place) -> None:
        name, params = place.value["type"], place.value.get("params") or {}
        key = f"{place.key}.params"
        if place.kind == "optimizers":
            spec, component = optimizer_options(name), f"torch.optim.{name}"
        else:
            spec = scheduler_options(self._host, name)
            registered = self._host.registries["schedulers"].matching(name)
            component = f"torch.optim.lr_scheduler.{name}"
            if registered:
                component = registered[0].qualified_name
            for inner, value in keys.walk(params, key):
                if inner != key and isinstance(value, Mapping) and "type" in value:
                    self._learn_from_torch(Place("schedulers", inner, value))
        if spec is not None:
            self._add(key, component, spec, params)

    def _add(self, key: str, component: str, spec: OptionsSpec, given: Mapping[str, Any]) -> None:
        self._options[key] = (component, spec)
        self._added[key] = [
            _default_of(option, keys.join(key, option.name), component)
            for option in spec.options.values()
            if option.name not in given and not option.required
        ]


def _default_of(option: Option, key: str, component: str) -> Explanation:
    value = option.default_text if option.default is UNKNOWN else option.default
    return Explanation(key, value, _DEFAULT, component, option.description)


def _described(key: str) -> str:
    """What the schema says about one of the engine's own keys."""
    try:
        *outer, name = keys.split(key)
    except ValueError:  # a name with brackets, in a map of the user's own
        return ""
    section = section_at(RunConfig, outer)
    return attribute_docs(section).get(str(name), "") if section is not None else ""
