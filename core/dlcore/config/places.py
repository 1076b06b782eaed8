"""Which keys of a config hold components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcore.config import keys
from dlcore.config.options import OptionsSpec
from dlcore.config.schema import NOT_TRANSFORMS
from dlcore.plugin_host import PluginHost

HEAD_PARTS = {
    "predictor": "predictors",
    "target_generator": "target_generators",
    "criterion": "criteria",
}
"""Keys of a head's block that hold other components, which every head needs."""

RESERVED: dict[str, frozenset[str]] = {
    "heads": frozenset({*HEAD_PARTS, "weight_init", "aggregator"}),
    "criteria": frozenset({"weight"}),
    "callbacks": frozenset({"stage"}),
}
"""Keys of a block that belong to the engine, not to the component."""

TOLERATED: dict[str, frozenset[str]] = {
    "detectors": frozenset({"pretrained", "pretrained_from_imagenet"}),
}
"""Keys that DeepLabCut's documentation names, accepted where a component does not know them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A key that holds a component, or what stands there instead.

    Attributes:
        kind: Kind of component; "optimizers" for those of torch.
        key: Dotted key.
        value: What stands there.
        name: The component's name where it is not the `type` of a block: that of a transform.
    """

    kind: str
    key: str
    value: Any
    name: str | None = None


def find_places(values: Mapping[str, Any]) -> Iterator[Place]:
    """The places of components in a config as it is in the file, not those in their options.

    What is missing is left out, and so is what the schema refuses for its shape.
    """
    model = _map(values.get("model"))
    yield from _block("backbones", model.get("backbone"), "model.backbone")
    yield from _block("necks", model.get("neck"), "model.neck")
    for name, block in _map(model.get("heads")).items():
        yield from _head(block, f"model.heads.{name}")
    yield from _block("datasets", values.get("dataset"), "dataset")
    logger = values.get("logger")
    yield from _block("loggers", logger, "logger")
    for index, block in enumerate(logger if isinstance(logger, list) else []):
        yield from _block("loggers", block, keys.join("logger", index))
    callbacks = values.get("callbacks")
    for index, block in enumerate(callbacks if isinstance(callbacks, list) else []):
        yield from _block("callbacks", block, keys.join("callbacks", index))
    yield from _stage(values, "")
    detector = _map(values.get("detector"))
    yield from _block("detectors", detector.get("model"), "detector.model")
    yield from _stage(detector, "detector")


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


def _block(kind: str, block: Any, key: str) -> Iterator[Place]:
    if isinstance(block, Mapping) and block:
        yield Place(kind, key, block)


def _head(block: Any, key: str) -> Iterator[Place]:
    if not isinstance(block, Mapping):
        return
    yield Place("heads", key, block)
    for name in ("predictor", "target_generator"):
        if block.get(name) is not None:
            yield Place(HEAD_PARTS[name], f"{key}.{name}", block[name])
    criterion = block.get("criterion")
    if isinstance(criterion, Mapping) and criterion and not isinstance(criterion.get("type"), str):
        for name, inner in criterion.items():
            yield Place("criteria", f"{key}.criterion.{name}", inner)
    elif criterion is not None:
        yield Place("criteria", f"{key}.criterion", criterion)
    if block.get("weight_init") not in (None, False):
        yield Place("weight_initializers", f"{key}.weight_init", block["weight_init"])


def _stage(values: Mapping[str, Any], key: str) -> Iterator[Place]:
    """What pose model and detector have in common: data and runner."""
    for name in ("train", "inference"):
        section = _map(_map(values.get("data")).get(name))
        place = keys.join(key, f"data.{name}")
        for transform, value in section.items():
            if transform not in NOT_TRANSFORMS:
                yield Place("transforms", f"{place}.{transform}", value, transform)
        yield from _block("collates", section.get("collate"), f"{place}.collate")
    runner = _map(values.get("runner"))
    place = keys.join(key, "runner")
    if isinstance(runner.get("type"), str):
        yield Place("runners", place, runner)
    yield from _block("optimizers", runner.get("optimizer"), f"{place}.optimizer")
    yield from _block("schedulers", runner.get("scheduler"), f"{place}.scheduler")


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
