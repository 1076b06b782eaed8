"""Which keys of a config hold components, and checking those blocks against the plugins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dlcore.config import keys, problems, torch_names
from dlcore.config.options import OptionsSpec, read_options
from dlcore.config.placeholders import resolve
from dlcore.config.scalars import Float
from dlcore.config.schema import NOT_TRANSFORMS, is_on
from dlcore.errors import ComponentError, ConfigError, Problem, UnknownComponentError
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
}
"""What the engine hands to the constructors of each kind, by position."""

HEAD_PARTS = {"predictor": "predictors", "target_generator": "target_generators"}
"""Keys of a head's block that hold other components."""

RESERVED: dict[str, frozenset[str]] = {
    "heads": frozenset({*HEAD_PARTS, "criterion", "weight_init", "aggregator"}),
    "criteria": frozenset({"weight"}),
}
"""Keys of a block that belong to the engine, not to the component."""

TOLERATED: dict[str, frozenset[str]] = {
    "detectors": frozenset({"pretrained", "pretrained_from_imagenet"}),
}
"""Keys that DeepLabCut's documentation names, accepted where a component does not know them."""

_WEIGHT = TypeAdapter(Float | None)


def own_options(kind: str, block: Mapping[str, Any], spec: OptionsSpec) -> dict[str, Any]:
    """What in a block is for the component itself."""
    reserved = RESERVED.get(kind, frozenset()) | {"type"}
    tolerated = {name for name in TOLERATED.get(kind, ()) if not spec.takes(name)}
    return {name: value for name, value in block.items() if name not in reserved | tolerated}


def transform_options(value: Any, spec: OptionsSpec) -> dict[str, Any]:
    """The options of a transform from its value in YAML: `true`, a map, or its first option."""
    if value is True:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    return {spec.first or "value": value}


def initializer_block(host: PluginHost, value: str | Mapping[str, Any]) -> dict[str, Any]:
    """The block that `weight_init` of a head stands for.

    A name counts whatever its case and underscores: DeepLabCut writes `normal` for `Normal`.
    """
    block = {"type": value} if isinstance(value, str) else dict(value)
    wanted = str(block.get("type")).replace("_", "").lower()
    matches = [
        entry.name
        for entry in host.registries["weight_initializers"]
        if entry.name.replace("_", "").lower() == wanted
    ]
    if matches:
        block["type"] = matches[0]
    return block


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
        """Check every block of a config. What has the wrong shape is left to the schema."""
        model = _map(values.get("model"))
        self._optional("backbones", model.get("backbone"), "model.backbone")
        self._optional("necks", model.get("neck"), "model.neck")
        for name, block in _map(model.get("heads")).items():
            self._head(block, f"model.heads.{name}")
        self._optional("datasets", values.get("dataset"), "dataset")
        self._loggers(values.get("logger"))
        self._sections(values, "")
        detector = _map(values.get("detector"))
        self._optional("detectors", detector.get("model"), "detector.model")
        self._sections(detector, "detector")

    def component(self, kind: str, block: Any, key: str, type_key: str | None = None) -> None:
        """Check one block and those nested in its options.

        Args:
            kind: Kind of component that belongs there.
            block: The block, or whatever stands in its place.
            key: Its dotted key.
            type_key: Dotted key of its type, where that is not `type` in the block.
        """
        type_key = type_key or f"{key}.type"
        entry = self._entry(kind, block, key, type_key)
        spec = self._spec(entry, type_key) if entry is not None else None
        if spec is not None:
            self._options(spec, own_options(kind, block, spec), key, RESERVED.get(kind, ()))

    def _complain(self, key: str, message: str) -> None:
        self.problems.append(Problem(key, message))

    def _optional(self, kind: str, block: Any, key: str) -> None:
        if isinstance(block, Mapping) and block:
            self.component(kind, block, key)

    def _sections(self, values: Mapping[str, Any], key: str) -> None:
        """What pose model and detector have in common: data and runner."""
        for name in ("train", "inference"):
            section = _map(_map(values.get("data")).get(name))
            self._transforms(section, keys.join(key, f"data.{name}"))
        runner = _map(values.get("runner"))
        place = keys.join(key, "runner")
        if isinstance(runner.get("type"), str):
            self._entry("runners", runner, place, f"{place}.type")
        self._optimizer(runner.get("optimizer"), f"{place}.optimizer")
        self._scheduler(runner.get("scheduler"), f"{place}.scheduler")

    def _entry(self, kind: str, block: Any, key: str, type_key: str) -> Entry | None:
        if not isinstance(block, Mapping):
            self._complain(key, f"must be a map, not {problems.shown(block)}")
            return None
        name = block.get("type")
        if "type" not in block:
            self._complain(key, "missing key 'type'")
        elif not isinstance(name, str):
            self._complain(type_key, f"must be a name, not {problems.shown(name)}")
        else:
            try:
                return self._host.find(kind, name)
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
            resolved = resolve(values, self._names, key)
        except ConfigError as error:
            self.problems += error.problems
            return
        self.problems += spec.validate(resolved, key, others)[1]
        for nested in spec.nested(values, key):
            self.component(nested.kind, nested.value, nested.key)

    def _head(self, block: Any, key: str) -> None:
        if not isinstance(block, Mapping):
            return
        self.component("heads", block, key)
        for name, kind in HEAD_PARTS.items():
            self._part(block, name, key, functools.partial(self.component, kind))
        self._part(block, "criterion", key, self._criteria)
        initializer = block.get("weight_init")
        place = f"{key}.weight_init"
        if isinstance(initializer, str | Mapping):
            named = initializer_block(self._host, initializer)
            type_key = place if isinstance(initializer, str) else None
            self.component("weight_initializers", named, place, type_key)
        elif initializer:
            self._complain(place, f"must be a name or a map, not {problems.shown(initializer)}")

    def _part(
        self, block: Mapping[str, Any], name: str, key: str, check: Callable[[Any, str], None]
    ) -> None:
        misspelt = keys.nearest(name, [n for n in block if n not in RESERVED["heads"]])
        if block.get(name) is None and misspelt is None:
            self._complain(key, f"missing key {name!r}; every head needs one")
        elif block.get(name) is not None:
            check(block[name], f"{key}.{name}")

    def _criteria(self, block: Any, key: str) -> None:
        """One criterion, or several by the name of the output that they judge."""
        if not isinstance(block, Mapping):
            self._complain(key, f"must be a map, not {problems.shown(block)}")
        elif isinstance(block.get("type"), str) or not block:
            self._criterion(block, key)
        else:
            for name, inner in block.items():
                self._criterion(inner, f"{key}.{name}")

    def _criterion(self, block: Any, key: str) -> None:
        self.component("criteria", block, key)
        weight = _map(block).get("weight")
        try:
            _WEIGHT.validate_python(weight)
        except ValidationError:
            self._complain(f"{key}.weight", f"must be a number, not {problems.shown(weight)}")

    def _loggers(self, value: Any) -> None:
        if isinstance(value, list):
            for index, block in enumerate(value):
                self._optional("loggers", block, keys.join("logger", index))
        else:
            self._optional("loggers", value, "logger")

    def _transforms(self, section: Mapping[str, Any], key: str) -> None:
        for name, value in section.items():
            if name not in NOT_TRANSFORMS:
                self._transform(name, value, f"{key}.{name}")
        self._optional("collates", section.get("collate"), f"{key}.collate")

    def _transform(self, name: str, value: Any, key: str) -> None:
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
        if not is_on(name, value):
            return
        spec = self._spec(entry, key)
        if spec is None:
            return
        before = len(self.problems)
        self._options(spec, transform_options(value, spec), key)
        if not isinstance(value, Mapping) and spec.first is not None:
            hidden = f"{key}.{spec.first}"  # a key that the file does not have
            self.problems[before:] = [
                replace(p, key=p.key.replace(hidden, key, 1)) for p in self.problems[before:]
            ]

    def _optimizer(self, block: Any, key: str) -> None:
        name = _map(block).get("type")
        if not isinstance(name, str):
            return
        known = torch_names.optimizer_names()
        if known and name not in known:
            self._complain(f"{key}.type", _unknown("optimizer", name, known))
            return
        spec = torch_names.optimizer_options(name)
        params = block.get("params")
        if spec is not None and isinstance(params, Mapping | None):
            self._options(spec, params or {}, f"{key}.params")

    def _scheduler(self, block: Any, key: str) -> None:
        name = _map(block).get("type")
        if not isinstance(name, str):
            return
        spec = self._scheduler_spec(name, f"{key}.type")
        params = block.get("params")
        if not isinstance(params, Mapping | None):
            return  # the schema says so
        if spec is not None:
            self.problems += spec.validate(params or {}, f"{key}.params")[1]
        self._schedulers_in(params or {}, f"{key}.params")

    def _scheduler_spec(self, name: str, key: str) -> OptionsSpec | None:
        try:
            return self._spec(self._host.find("schedulers", name), key)
        except UnknownComponentError:
            known = torch_names.scheduler_names()
            if name in known:
                return torch_names.scheduler_options(name)
            registered = self._host.registries["schedulers"].names()
            self._complain(key, _unknown("scheduler", name, [*registered, *known]))
        except ComponentError as error:
            self._complain(key, str(error))
        return None

    def _schedulers_in(self, value: Any, key: str) -> None:
        """Check maps with a `type`, wherever they are among the parameters of a scheduler."""
        if isinstance(value, Mapping):
            for name, item in value.items():
                self._schedulers_in_item(item, keys.join(key, name))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._schedulers_in_item(item, keys.join(key, index))

    def _schedulers_in_item(self, value: Any, key: str) -> None:
        if not isinstance(value, Mapping) or "type" not in value:
            self._schedulers_in(value, key)
            return
        for name in value:
            if name not in ("type", "params"):
                message = keys.unknown_key(name, ("type", "params"))
                self._complain(keys.join(key, name), f"{message}; options stand under 'params'")
        params = value.get("params")
        if not isinstance(params, Mapping | None):
            self._complain(f"{key}.params", f"must be a map, not {problems.shown(params)}")
        elif not isinstance(value["type"], str):
            self._complain(f"{key}.type", f"must be a name, not {problems.shown(value['type'])}")
        else:
            self._scheduler(value, key)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = keys.nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else f"; known are: {', '.join(names)}"
    return f"no plugin offers {_article(what)} named {name!r}, nor does torch{hint}"


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"
