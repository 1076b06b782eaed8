"""The JSON Schema of the whole file, with the options of every installed plugin.

An editor that is given it completes and checks a config while it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema

from dlcore.config import compatibility, torch_names
from dlcore.config.options import UNKNOWN, Option, OptionsSpec, read_options
from dlcore.config.placeholders import PATTERN
from dlcore.config.places import TOLERATED
from dlcore.config.schema import STAGES, RunConfig
from dlcore.errors import ComponentError
from dlcore.hookspecs import KINDS, singular
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NULL: Schema = {"type": "null"}
_OUTER: tuple[str, ...] = ("description", "default")
"""What is said of a key rather than of one of its forms."""

_IN_MODEL = frozenset(
    {"backbones", "necks", "heads", "predictors", "target_generators", "criteria"}
)
"""Kinds whose blocks may hold placeholders."""


def json_schema(host: PluginHost) -> Schema:
    """The JSON Schema (draft 2020-12) of configs, as far as the installed plugins reach.

    A component whose options cannot be read is left out.
    """
    return _SchemaWriter(host).write()


_NOT_BLOCKS = (
    "transforms",
    "schedulers",
    "runners",
    "net_types",
    "prediction_writers",
    "trackers",
    "evaluation_writers",
    "exporters",
    "inference_backends",
)
"""Kinds that are written in other ways than as a block with a `type`, or not at all."""


class _SchemaWriter:
    def __init__(self, host: PluginHost) -> None:
        self._host = host
        self._definitions: dict[str, Schema] = {}

    def write(self) -> Schema:
        schema = _without_titles(RunConfig.model_json_schema())
        self._definitions = schema.pop("$defs")
        for section in (schema, *self._definitions.values()):
            _allow_nulls(section)
        for kind in KINDS:
            if kind not in _NOT_BLOCKS:
                self._definitions[kind] = self._kind(kind)
        self._definitions["placeholder"] = {
            "type": "string",
            "pattern": f"^{PATTERN}$",
            "description": "A number that is known when the dataset is.",
        }
        self._definitions["schedulers"] = self._by_params(
            "Scheduler", self._scheduler_specs(), "Its parameters."
        )
        self._definitions["optimizers"] = self._by_params(
            "Optimizer", _optimizer_specs(), "Its parameters."
        )
        self._join(schema)
        return {
            "$schema": DIALECT,
            "title": "pytorch_config.yaml",
            **schema,
            "$defs": dict(sorted(self._definitions.items())),
        }

    def _join(self, schema: Schema) -> None:
        """Put the kinds in the places where the schema of the engine's keys says "a map"."""
        top, sections = schema["properties"], self._definitions
        top["dataset"] = _described(_nullable(_ref("datasets")), top["dataset"])
        loggers = [_ref("loggers"), {"type": "array", "items": _ref("loggers")}, _NULL]
        top["logger"] = _described({"anyOf": loggers}, top["logger"])
        callbacks = {"type": "array", "items": _ref("callbacks")}
        top["callbacks"] = _described(_nullable(callbacks), top["callbacks"])
        top["method"]["anyOf"][0]["enum"] += ["BU", "TD", "CTD"]
        model = sections["Model"]["properties"]
        model["backbone"] = _described(_nullable(_ref("backbones")), model["backbone"])
        model["neck"] = _described(_nullable(_ref("necks")), model["neck"])
        heads = {"type": "object", "additionalProperties": _ref("heads")}
        model["heads"] = _described(_nullable(heads), model["heads"])
        detector = sections["Detector"]["properties"]
        detector["model"] = _described(_ref("detectors"), detector["model"])
        for name in ("RunnerSection", "DetectorRunnerSection"):
            runner = sections[name]["properties"]
            types = _spellings(self._host.registries["runners"])
            runner["type"] = _described(_nullable({"enum": types}), runner["type"])
            runner["optimizer"] = _described(_nullable(_ref("optimizers")), runner["optimizer"])
            runner["scheduler"] = _described(_nullable(_ref("schedulers")), runner["scheduler"])
        for name in ("Optimizer", "Scheduler"):
            del sections[name]
        self._transforms(sections["TransformsSection"]["properties"])
        for key, aliases in compatibility.ALIASES.items():
            section = sections[str(top[key]["anyOf"][0]["$ref"]).rpartition("/")[2]]
            for old, new in aliases.items():
                section["properties"][old] = {
                    **section["properties"][new], "deprecated": True,
                    "description": f"An old name of {new}.",
                }  # fmt: skip

    def _transforms(self, properties: dict[str, Schema]) -> None:
        del properties["transforms"]
        collate = [_ref("collates"), _NULL, {"const": False}]
        properties["collate"] = _described({"anyOf": collate}, properties["collate"])
        properties["top_down_crop"]["anyOf"].append({"const": False})
        for entry in self._host.registries["transforms"]:
            spec = self._spec(entry)
            if spec is None:
                continue
            options = self._options(spec, "transforms")
            choices = [{"type": "boolean"}, _NULL, _closed(options, spec)]
            if spec.first is not None:
                choices.append(options[spec.first])
            for written in {entry.name, entry.qualified_name}:
                properties[written] = {
                    "description": entry.component.summary,
                    "anyOf": choices,
                }

    def _kind(self, kind: str) -> Schema:
        """Blocks of one kind: `type` is one of the names, and tells which options there are."""
        branches = []
        names: list[str] = []
        for entry in self._host.registries[kind]:
            spec = self._spec(entry)
            if spec is None:
                continue
            spellings = self._spellings_of(entry, kind)
            names += spellings
            definition = f"{kind}.{entry.plugin}.{entry.name}"
            self._definitions[definition] = self._component(entry, spec, kind, spellings)
            branches.append(_when_type(spellings, _ref(definition)))
        return {
            "type": "object",
            "description": f"The {singular(kind)} and its options.",
            "required": ["type"],
            "properties": {"type": {"enum": names}},
            **({"allOf": branches} if branches else {}),
        }

    def _spellings_of(self, entry: Entry, kind: str) -> list[str]:
        unambiguous = len(self._host.registries[kind].matching(entry.name)) == 1
        names = [entry.name, entry.qualified_name] if unambiguous else [entry.qualified_name]
        if kind == "weight_initializers":  # whose case does not count
            names += [name for name in (entry.name.lower(),) if name not in names]
        return names

    def _component(
        self, entry: Entry, spec: OptionsSpec, kind: str, spellings: list[str]
    ) -> Schema:
        options = {
            "type": {"enum": spellings, "description": entry.component.summary},
            **self._reserved(kind),
            **self._options(spec, kind),
        }
        for name in TOLERATED.get(kind, ()):
            options.setdefault(name, {"description": "Not used.", "deprecated": True})
        required = ["predictor", "target_generator", "criterion"] if kind == "heads" else []
        description = spec.docstring.partition("\n\n")[0] or entry.component.summary
        return {"description": description, **_closed(options, spec, ["type", *required])}

    def _reserved(self, kind: str) -> dict[str, Schema]:
        if kind == "criteria":
            description = "What the loss is multiplied by."
            number = {"type": ["number", "null"], "minimum": 0}
            return {"weight": number | {"description": description}}
        if kind == "callbacks":
            description = "Of which model's training; of both if left out."
            return {"stage": {"enum": [*STAGES, None], "description": description}}
        if kind != "heads":
            return {}
        initializers = self._host.registries["weight_initializers"]
        names = [
            name
            for entry in initializers
            for name in self._spellings_of(entry, "weight_initializers")
        ]
        criteria = {
            "description": "The loss, or one for each output by the output's name.",
            "if": {"properties": {"type": {"type": "string"}}, "required": ["type"]},
            "then": _ref("criteria"),
            "else": {"type": "object", "additionalProperties": _ref("criteria")},
        }
        choices = [{"enum": names}, _ref("weight_initializers"), _NULL, {"const": False}]
        return {
            "predictor": _ref("predictors"),
            "target_generator": _ref("target_generators"),
            "criterion": criteria,
            "weight_init": {"anyOf": choices, "description": "The first weights."},
            "aggregator": {"description": "Not used.", "deprecated": True},
        }

    def _by_params(
        self, section: str, specs: Mapping[tuple[str, ...], OptionsSpec | None], description: str
    ) -> Schema:
        """Blocks whose options stand under `params`."""
        branches = []
        for names, spec in specs.items():
            if spec is None:
                continue
            options = self._options(spec, "schedulers")
            params = _closed(options, spec)
            if "required" not in params:
                params = _nullable(params)
            needed = {"required": ["params"]} if "required" in params else {}
            branch = {"properties": {"params": params}, **needed}
            branches.append(_when_type(list(names), branch))
        return {
            "type": "object",
            "description": self._definitions[section].get("description", ""),
            "required": ["type"],
            "properties": {
                "type": {"enum": [name for names in specs for name in names]},
                "params": {"type": ["object", "null"], "description": description},
            },
            "additionalProperties": False,
            **({"allOf": branches} if branches else {}),
        }

    def _scheduler_specs(self) -> dict[tuple[str, ...], OptionsSpec | None]:
        registry = self._host.registries["schedulers"]
        specs: dict[tuple[str, ...], OptionsSpec | None] = {
            tuple(self._spellings_of(entry, "schedulers")): self._spec(entry) for entry in registry
        }
        for name in torch_names.scheduler_names():
            if not registry.matching(name):
                specs[(name,)] = torch_names.scheduler_options(name)
        return specs

    def _spec(self, entry: Entry) -> OptionsSpec | None:
        try:
            return read_options(entry.component)
        except ComponentError:
            return None

    def _options(self, spec: OptionsSpec, kind: str) -> dict[str, Schema]:
        return {name: self._option(option, kind) for name, option in spec.options.items()}

    def _option(self, option: Option, kind: str) -> Schema:
        try:
            schema: Schema = _without_titles(option.adapter.json_schema())
        except PydanticInvalidForJsonSchema:
            schema = {}
        for name, definition in schema.pop("$defs", {}).items():
            self._definitions[name] = _finished(definition, kind)
        if kind == "schedulers" and "Scheduler" in option.annotation_text:
            schema = {"type": "array", "items": _ref("schedulers")}
        schema = dict(_finished(schema, kind))
        if not option.required:
            schema = _nullable(schema)
        if option.description:
            schema = {"description": option.description, **schema}
        return {**schema, **_default(option)}


def _optimizer_specs() -> dict[tuple[str, ...], OptionsSpec | None]:
    return {(n,): torch_names.optimizer_options(n) for n in torch_names.optimizer_names()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _when_type(names: list[str], then: Schema) -> Schema:
    condition = {"properties": {"type": {"enum": names}}, "required": ["type"]}
    return {"if": condition, "then": then}


def _closed(options: dict[str, Schema], spec: OptionsSpec, also: Iterable[str] = ()) -> Schema:
    required = [*also, *(name for name, option in spec.options.items() if option.required)]
    schema: Schema = {
        "type": "object",
        "properties": options,
        "additionalProperties": spec.is_open,
    }
    return {**schema, "required": required} if required else schema


def _spellings(entries: Iterable[Entry]) -> list[str]:
    return [name for entry in entries for name in (entry.name, entry.qualified_name)]


def _described(schema: Schema, source: Schema) -> Schema:
    kept = {name: source[name] for name in _OUTER if name in source}
    return {**schema, **kept}


def _nullable(schema: Schema) -> Schema:
    if not schema or _NULL in schema.get("anyOf", ()):
        return schema
    outer = {name: schema[name] for name in _OUTER if name in schema}
    inner = {name: value for name, value in schema.items() if name not in outer}
    if set(inner) == {"anyOf"}:
        return {**outer, "anyOf": [*inner["anyOf"], _NULL]}
    return {**outer, "anyOf": [inner, _NULL]}


def _allow_nulls(section: Schema) -> None:
    """Null is as good as missing for every key of the engine that has a default."""
    required = section.get("required", ())
    properties = section.get("properties", {})
    for name, schema in properties.items():
        if name not in required:
            properties[name] = _nullable(schema)


def _finished(schema: Any, kind: str) -> Any:
    """An option's schema with nested blocks and, where they are replaced, placeholders."""
    if isinstance(schema, list):
        return [_finished(item, kind) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-dlcore-kind" in schema:
        return _ref(schema["x-dlcore-kind"])
    done = {name: value if name in ("default", "enum", "const") else _finished(value, kind)
            for name, value in schema.items()}  # fmt: skip
    if kind in _IN_MODEL and done.get("type") in ("integer", "number", "array"):
        outer = {name: done.pop(name) for name in _OUTER if name in done}
        return {**outer, "anyOf": [done, _ref("placeholder")]}
    return done


def _without_titles(schema: Any) -> Any:
    """The same schema without the titles that pydantic makes from names."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _without_titles(value) for key, value in item.items()}
        if name in ("properties", "$defs")
        else _without_titles(item)
        for name, item in schema.items()
        if name != "title"
    }


def _default(option: Option) -> Schema:
    """The default, as JSON has it, if it is a plain value."""
    if option.default is UNKNOWN:
        return {}
    try:
        return {"default": json.loads(json.dumps(option.default, allow_nan=False))}
    except (TypeError, ValueError):
        return {}
