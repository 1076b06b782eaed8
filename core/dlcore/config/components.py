"""Checking the blocks of a config against what the plugins offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from dlcore.config import keys, problems, torch_names
from dlcore.config.options import OptionsSpec, read_options
from dlcore.config.placeholders import resolve
from dlcore.config.places import (
    HEAD_PARTS,
    RESERVED,
    Place,
    find_places,
    initializer_block,
    own_options,
    transform_options,
)
from dlcore.config.scalars import Float
from dlcore.config.schema import NOT_TRANSFORMS, STAGES, is_on
from dlcore.errors import ComponentError, ConfigError, Problem, UnknownComponentError
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

_WEIGHT = TypeAdapter(Annotated[Float, Field(ge=0, allow_inf_nan=False)] | None)


def scheduler_options(host: PluginHost, name: str) -> OptionsSpec | None:
    """What a scheduler takes under `params`: a registered one, or else one of torch.

    Returns:
        None if it is one of torch whose source does not tell.

    Raises:
        ComponentError: If there is no such scheduler, or it is broken.
    """
    try:
        return read_options(host.find("schedulers", name).component)
    except UnknownComponentError as error:
        if name in torch_names.scheduler_names():
            return torch_names.scheduler_options(name)
        known = [*host.registries["schedulers"].names(), *torch_names.scheduler_names()]
        raise UnknownComponentError(_unknown("a scheduler", name, known)) from error


def optimizer_options(name: str) -> OptionsSpec | None:
    """What an optimizer of torch takes under `params`; None if its source does not tell.

    Raises:
        ComponentError: If there is no such optimizer.
    """
    known = torch_names.optimizer_names()
    if known and name not in known:
        raise UnknownComponentError(_unknown("an optimizer", name, known))
    return torch_names.optimizer_options(name)


class ComponentChecker:
    """Checks the blocks of a config; gathers what is wrong instead of stopping.

    Args:
        host: The installed plugins.
        names: What placeholders stand for.

    Attributes:
        problems: What was found so far, without lines.
    """

    def __init__(self, host: PluginHost, names: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._host = host
        self._names = names

    def check(self, values: Mapping[str, Any]) -> None:
        """Check every block of a config."""
        checks = {
            "heads": self._head,
            "criteria": self._criterion,
            "callbacks": self._callback,
            "weight_initializers": self._initializer,
            "transforms": self._transform,
            "runners": self._runner,
            "optimizers": self._optimizer,
            "schedulers": self._scheduler,
        }
        for place in find_places(values):
            checks.get(place.kind, self._component)(place)

    def _complain(self, key: str, message: str) -> None:
        self.problems.append(Problem(key, message))

    def _component(self, place: Place, type_key: str | None = None) -> None:
        """Check one block and those nested in its options.

        Args:
            place: The block, or whatever stands in its place.
            type_key: Dotted key of its type, where that is not `type` in the block.
        """
        entry = self._entry(place, type_key or f"{place.key}.type")
        spec = self._spec(entry, type_key or f"{place.key}.type") if entry is not None else None
        if spec is not None:
            options = own_options(place.kind, place.value, spec)
            self._options(spec, options, place.key, RESERVED.get(place.kind, ()))

    def _entry(self, place: Place, type_key: str) -> Entry | None:
        block = place.value
        if not isinstance(block, Mapping):
            self._complain(place.key, f"must be a map, not {problems.shown(block)}")
            return None
        name = block.get("type")
        if "type" not in block:
            self._complain(place.key, "missing key 'type'")
        elif not isinstance(name, str):
            self._complain(type_key, f"must be a name, not {problems.shown(name)}")
        else:
            try:
                return self._host.find(place.kind, name)
            except ComponentError as error:
                self._complain(type_key, str(error))
        return None

    def _spec(self, entry: Entry, key: str) -> OptionsSpec | None:
        try:
            return read_options(entry.component)
        except ComponentError as error:
            self._complain(key, str(error))
            return None

    def _options(
        self, spec: OptionsSpec, values: Mapping[str, Any], key: str, others: Iterable[str] = ()
    ) -> None:
        try:
            in_model = key.startswith("model.")
            resolved = resolve(values, self._names, key) if in_model else values
        except ConfigError as error:
            self.problems += error.problems
            return
        self.problems += spec.validate(resolved, key, others)[1]
        for nested in spec.nested(values, key):
            self._component(Place(nested.kind, nested.key, nested.value))

    def _head(self, place: Place) -> None:
        self._component(place)
        others = [name for name in place.value if name not in RESERVED["heads"]]
        for name in HEAD_PARTS:
            misspelt = keys.nearest(name, others)
            if place.value.get(name) is None and misspelt is None:
                self._complain(place.key, f"missing key {name!r}; every head needs one")

    def _criterion(self, place: Place) -> None:
        self._component(place)
        weight = place.value.get("weight") if isinstance(place.value, Mapping) else None
        try:
            _WEIGHT.validate_python(weight)
        except ValidationError:
            message = f"must be a number of at least 0, not {problems.shown(weight)}"
            self._complain(f"{place.key}.weight", message)

    def _callback(self, place: Place) -> None:
        self._component(place)
        stage = place.value.get("stage") if isinstance(place.value, Mapping) else None
        if stage not in (*STAGES, None):
            message = f"must be {' or '.join(map(repr, STAGES))}, not {problems.shown(stage)}"
            self._complain(f"{place.key}.stage", message)

    def _initializer(self, place: Place) -> None:
        if not isinstance(place.value, str | Mapping):
            message = f"must be a name or a map, not {problems.shown(place.value)}"
            self._complain(place.key, message)
            return
        block = initializer_block(self._host, place.value)
        type_key = place.key if isinstance(place.value, str) else None
        self._component(replace(place, value=block), type_key)

    def _runner(self, place: Place) -> None:
        self._entry(place, f"{place.key}.type")

    def _transform(self, place: Place) -> None:
        name, value, key = str(place.name), place.value, place.key
        known = [*self._host.registries["transforms"].names(), *NOT_TRANSFORMS]
        try:
            entry = self._host.find("transforms", name)
        except UnknownComponentError as error:
            if keys.nearest(name, known) is not None:
                self._complain(key, keys.unknown_key(name, known))
            elif is_on(name, value):
                self._complain(key, str(error))
            return
        except ComponentError as error:
            self._complain(key, str(error))
            return
        spec = self._spec(entry, key) if is_on(name, value) else None
        if spec is None:
            return
        before = len(self.problems)
        self._options(spec, transform_options(value, spec), key)
        if not isinstance(value, Mapping) and spec.first is not None:
            hidden = f"{key}.{spec.first}"  # a key that the file does not have
            self.problems[before:] = [
                replace(p, key=p.key.replace(hidden, key, 1)) for p in self.problems[before:]
            ]

    def _optimizer(self, place: Place) -> None:
        name, params = place.value.get("type"), place.value.get("params")
        if not isinstance(name, str):
            return  # the schema says so
        try:
            spec = optimizer_options(name)
        except ComponentError as error:
            self._complain(f"{place.key}.type", str(error))
            return
        if spec is not None and isinstance(params, Mapping | None):
            self._options(spec, params or {}, f"{place.key}.params")

    def _scheduler(self, place: Place) -> None:
        name, params, key = place.value.get("type"), place.value.get("params"), place.key
        if not isinstance(name, str):
            return  # the schema says so
        spec = None
        try:
            spec = scheduler_options(self._host, name)
        except ComponentError as error:
            self._complain(f"{key}.type", str(error))
        if isinstance(params, Mapping | None):
            if spec is not None:
                self.problems += spec.validate(params or {}, f"{key}.params")[1]
            self._schedulers_in(params or {}, f"{key}.params")

    def _schedulers_in(self, value: Any, key: str) -> None:
        """Check maps with a `type`, wherever they are among the parameters of a scheduler."""
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for part, item in items:
            place = keys.join(key, part)
            if isinstance(item, Mapping) and "type" in item:
                self._nested_scheduler(Place("schedulers", place, item))
            elif isinstance(item, Mapping | list):
                self._schedulers_in(item, place)

    def _nested_scheduler(self, place: Place) -> None:
        """What the schema checks of the outermost scheduler, and the rest."""
        key, params, name = place.key, place.value.get("params"), place.value["type"]
        for other in place.value:
            if other not in ("type", "params"):
                message = keys.unknown_key(other, ("type", "params"))
                self._complain(keys.join(key, other), f"{message}; options stand under 'params'")
        if not isinstance(params, Mapping | None):
            self._complain(f"{key}.params", f"must be a map, not {problems.shown(params)}")
        if not isinstance(name, str):
            self._complain(f"{key}.type", f"must be a name, not {problems.shown(name)}")
        self._scheduler(place)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = keys.nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else f"; known are: {', '.join(names)}"
    return f"no plugin offers {what} named {name!r}, nor does torch{hint}"
