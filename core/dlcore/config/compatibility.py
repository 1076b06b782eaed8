"""Old names, and keys that DeepLabCut writes and nobody here reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dlcore.config.schema import Block, Detector, RunConfig
from dlcore.errors import Problem

ALIASES: dict[str, dict[str, str]] = {
    "metadata": {"uniquebodyparts": "unique_bodyparts", "identity": "with_identity"},
}
"""Old names of keys, by section."""

NET_TYPE_ALIASES = {"dlcrnet_ms5": "dlcrnet_stride16_ms5"}
"""Old names of net types."""

TOP_DOWN_PREFIX = "top_down_"
"""What DeepLabCut puts before a net type to choose `method: td`."""

WITHOUT_EFFECT: dict[str, str] = {
    "runner.device": "the top-level 'device' says where the model runs",
    "runner.load_weights_only": "snapshots with code in them are never loaded",
    "runner.load_head_weights": "a resumed run takes all weights; see 'init_from' for a new one",
    "data.loader": "the data is found by the place of the file, or named by 'dataset'",
    "model.pose_model": "strides are those of the parts that the model is made of",
    "inference.snapshot": "commands are told which snapshot to use",
    "inference.output_dir": "commands are told where to write",
    "inference.eval.mode": "`dlcore evaluate` is told which split",
    "inference.eval.comparison_bodyparts": "`dlcore evaluate` compares all bodyparts",
    "inference.eval.per_keypoint_evaluation": "`dlcore evaluate` always tells them apart",
    "inference.eval.force_multi_animal": "the number of individuals says how to compare",
    "detector.device": "the top-level 'device' says where the detector runs",
    "detector.inference": "the top-level 'inference' is for both models",
    "detector.data.bbox_margin": "boxes are made with the top-level 'data.bbox_margin'",
    "detector.runner.device": "the top-level 'device' says where the detector runs",
    "detector.runner.load_weights_only": "snapshots with code in them are never loaded",
    "detector.runner.load_head_weights": "a resumed run takes all weights",
}
"""Keys that are accepted and not read, and why."""

_HARMLESS: dict[str, tuple[Any, ...]] = {
    "runner.load_weights_only": (True,),
    "runner.load_head_weights": (True,),
    "model.pose_model": ({"stride": 8},),
    "detector.runner.load_weights_only": (True,),
    "detector.runner.load_head_weights": (True,),
}


@dataclass(frozen=True, slots=True)
class Normalized:
    """A config in today's words.

    Attributes:
        values: The values, changed.
        renamed: New dotted key to the old one that stands in the file.
        notices: What to tell about it.
        problems: What is wrong.
    """

    values: dict[str, Any]
    renamed: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def normalize(values: dict[str, Any]) -> Normalized:
    """The same config with old names replaced. `values` stays as it is."""
    result = Normalized(dict(values))
    for section, aliases in ALIASES.items():
        if isinstance(values.get(section), dict):
            _rename(section, aliases, result)
    net_type = values.get("net_type")
    if isinstance(net_type, str):
        _rename_net_type(net_type, result)
    return result


def _rename(section: str, aliases: dict[str, str], result: Normalized) -> None:
    found: Block = {}
    for name, value in result.values[section].items():
        new = aliases.get(name)
        if new is None:
            found[name] = value
        elif new in result.values[section]:
            message = f"is an old name of {new!r}, which is given too; remove one"
            result.problems.append(Problem(f"{section}.{name}", message))
        else:
            found[new] = value
            result.renamed[f"{section}.{new}"] = f"{section}.{name}"
            result.notices.append(f"{section}.{name} is an old name of {section}.{new}")
    result.values[section] = found


def _rename_net_type(net_type: str, result: Normalized) -> None:
    name = net_type.removeprefix(TOP_DOWN_PREFIX)
    if name != net_type and result.values.get("method") is None:
        result.values["method"] = "td"
    name = NET_TYPE_ALIASES.get(name, name)
    if name != net_type:
        result.values["net_type"] = name
        result.notices.append(f"net_type {net_type!r} is read as {name!r}")


def notices_of(config: RunConfig) -> list[tuple[str, str]]:
    """Keys that are set to something and have no effect: (dotted key, why)."""
    return [(key, why) for key, why in WITHOUT_EFFECT.items() if _matters(config, key)]


def _matters(config: RunConfig, key: str) -> bool:
    value, default = _attribute(config, key), _attribute(_DEFAULTS, key)
    if value is None or value == default or value in _HARMLESS.get(key, ()):
        return False
    if key == "detector.data.bbox_margin":
        return bool(value != config.data.bbox_margin)
    return not (key.endswith(".device") and value == config.device)


def _attribute(config: RunConfig, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


_DEFAULTS = RunConfig(detector=Detector(model={}))
