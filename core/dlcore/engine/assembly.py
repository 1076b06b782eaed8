"""From the model section of a config to a `PoseModel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from dlcore.building import build
from dlcore.config.placeholders import resolve
from dlcore.config.places import initializer_block
from dlcore.config.schema import RunConfig
from dlcore.engine.evaluation import BODYPART, UNIQUE_BODYPART
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import ConfigError, Problem
from dlcore.interfaces import (
    Backbone,
    Criterion,
    Detector,
    Features,
    FeatureSpec,
    Head,
    Neck,
    PoseTask,
    Predictor,
    TargetGenerator,
)
from dlcore.model import HeadParts, Loss, PoseModel, head_input
from dlcore.plugin_host import PluginHost

ENGINE_KEYS = frozenset({"predictor", "target_generator", "criterion", "aggregator", "weight_init"})
"""Keys of a head's block that are not options of the head."""


def build_model(host: PluginHost, config: RunConfig, task: PoseTask, *, fresh: bool) -> PoseModel:
    """Build what `model:` describes.

    Args:
        host: Where components are found.
        config: The validated config.
        task: The names behind the numbers, for placeholders and for the heads.
        fresh: Whether this is a new training run without other weights: a backbone whose block
            does not say otherwise then starts from pretrained weights.

    Raises:
        ConfigError: If something cannot be built or does not fit together.
    """
    section = config.model
    names: dict[str, Any] = {
        "num_bodyparts": task.num_keypoints,
        "num_individuals": task.num_individuals,
    }
    block = resolve(section.backbone, names)
    if not fresh:
        block = _without_pretrained(block)  # other weights come: do not fetch these
    backbone: Backbone = build(host, "backbones", block, key="model.backbone", pretrained=fresh)
    if fresh and not block.get("pretrained", True) and backbone.freeze_bn_stats:
        LOGGER.warning(
            "model.backbone starts from random weights, but freeze_bn_stats keeps its batch-norm "
            "statistics at their first values, with which it hardly learns; "
            "set model.backbone.freeze_bn_stats=false"
        )
    neck: Neck | None = None
    if section.neck is not None:
        names["backbone_output_channels"] = _finest(backbone.features).channels
        block = resolve(section.neck, names)
        neck = build(host, "necks", block, backbone.features, key="model.neck")
    features = neck.features if neck is not None else backbone.features
    names["backbone_output_channels"] = _finest(features).channels
    _check_head_names(config, task)
    heads: dict[str, Head] = {}
    parts: dict[str, HeadParts] = {}
    for name, block in section.heads.items():
        key = f"model.heads.{name}"
        heads[name], parts[name] = _build_head(host, resolve(block, names), features, task, key)
    try:
        return PoseModel(backbone, neck, heads, parts)
    except ValueError as error:
        key, _, message = str(error).partition(": ")
        raise ConfigError([Problem(f"model.{key}", message)]) from error


def build_detector(host: PluginHost, config: RunConfig, *, fresh: bool) -> Detector:
    """Build what `detector.model:` describes.

    Args:
        host: Where components are found.
        config: The validated config.
        fresh: As for `build_model`.

    Raises:
        ConfigError: If it cannot be built.
    """
    assert config.detector is not None
    block = dict(config.detector.model)
    defaults: dict[str, Any] = {"pretrained": True} if fresh else {}
    if not fresh:
        block.pop("pretrained", None)  # other weights come: do not fetch these
    detector: Detector = build(host, "detectors", block, key="detector.model", **defaults)
    if fresh and block.get("pretrained") is False and detector.fixed_norms:
        LOGGER.warning(
            "detector.model starts from random weights, but its batch-norm statistics stay at "
            "their first values, with which it hardly learns; set "
            "detector.model.freeze_bn_stats=false, and take a variant whose statistics are not "
            "fixed (`dlcore show %s`)",
            block["type"],
        )
    return detector


def build_ready_detector(host: PluginHost, config: RunConfig) -> Detector | None:
    """The detector of a config that is used as it is: `pretrained` is set, `epochs` is 0.

    Returns:
        The detector with its trained weights; None where a snapshot is needed.

    Raises:
        ConfigError: If it cannot be built, or needs training.
    """
    section = config.detector
    if section is None or section.train_settings.epochs > 0 or not section.model.get("pretrained"):
        return None
    detector = build_detector(host, config, fresh=True)
    if detector.needs_training:
        message = (
            "parts of it have random weights, and detector.train_settings.epochs is 0; train it, "
            "or choose options with which it needs no training (`dlcore show "
            f"{section.model['type']}`)"
        )
        raise ConfigError([Problem("detector.model", message)])
    return detector


def input_size_of(model: nn.Module) -> tuple[int, int] | None:
    """(width, height) of the only images that a model takes, None if it takes any size."""
    if not isinstance(model, PoseModel):
        return None
    for part in (*model.heads.values(), model.backbone):
        size: tuple[int, int] | None = getattr(part, "input_size", None)
        if size is not None:
            return size
    return None


def _without_pretrained(block: dict[str, Any]) -> dict[str, Any]:
    """A backbone's block, and those inside it, with `pretrained` off where it is on."""
    off = {n: _without_pretrained(v) if isinstance(v, dict) else v for n, v in block.items()}
    if off.get("pretrained"):
        off["pretrained"] = False
    return off


def _check_head_names(config: RunConfig, task: PoseTask) -> None:
    heads = config.model.heads
    if not heads:
        raise ConfigError([Problem("model.heads", "there is no head; add one named 'bodypart'")])
    runner = config.runner.type.rpartition("/")[2]
    if runner == PoseTrainingRunner.__name__ and BODYPART not in heads:
        given = ", ".join(repr(name) for name in heads)
        message = f"there is no head {BODYPART!r}, which gives the poses; rename one of {given}"
        raise ConfigError([Problem("model.heads", message)])
    if UNIQUE_BODYPART in heads and not task.unique_keypoints:
        message = "there are no unique bodyparts; name some in metadata.unique_bodyparts, or remove"
        raise ConfigError([Problem(f"model.heads.{UNIQUE_BODYPART}", f"{message} this head")])


def _finest(features: Features) -> FeatureSpec:
    return features if isinstance(features, FeatureSpec) else features[0]


def _build_head(
    host: PluginHost, block: Mapping[str, Any], features: Features, task: PoseTask, key: str
) -> tuple[Head, HeadParts]:
    options = {name: value for name, value in block.items() if name not in ENGINE_KEYS}
    cls = host.find("heads", str(options.get("type"))).component.load()
    if not cls.takes_several_maps:  # type: ignore[attr-defined]
        try:
            features = head_input(features, cls, key.rpartition(".")[2])
        except ValueError as error:
            raise ConfigError([Problem(key, str(error).partition(": ")[2])]) from error
    head: Head = build(host, "heads", options, features, task, key=key)
    for part in ("target_generator", "predictor", "criterion"):
        if not block.get(part):
            raise ConfigError([Problem(f"{key}.{part}", "is missing; every head needs one")])
    generator: TargetGenerator = build(
        host, "target_generators", block["target_generator"], task, key=f"{key}.target_generator"
    )
    predictor: Predictor = build(
        host, "predictors", block["predictor"], task, key=f"{key}.predictor"
    )
    losses = _build_losses(host, block["criterion"], head, f"{key}.criterion")
    if block.get("weight_init"):
        _initialize(host, block["weight_init"], head, f"{key}.weight_init")
    return head, HeadParts(generator, losses, predictor)


def _build_losses(
    host: PluginHost, block: Mapping[str, Any], head: Head, key: str
) -> dict[str, Loss]:
    if isinstance(block.get("type"), str):
        if len(head.output_names) != 1:
            names = ", ".join(head.output_names)
            message = f"one criterion is given for several outputs; write one for each of {names}"
            raise ConfigError([Problem(key, message)])
        return {head.output_names[0]: _build_loss(host, block, key)}
    return {name: _build_loss(host, inner, f"{key}.{name}") for name, inner in block.items()}


def _build_loss(host: PluginHost, block: Mapping[str, Any], key: str) -> Loss:
    options = {name: value for name, value in block.items() if name != "weight"}
    weight = block.get("weight")
    criterion: Criterion = build(host, "criteria", options, key=key)
    return Loss(criterion, 1.0 if weight is None else float(weight))


def _initialize(host: PluginHost, value: str | Mapping[str, Any], head: Head, key: str) -> None:
    build(host, "weight_initializers", initializer_block(host, value), key=key)(head)
