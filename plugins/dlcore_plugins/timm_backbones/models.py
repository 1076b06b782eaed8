"""timm models: find by name, build with weights, and see what their feature maps are."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import timm
import torch
from timm.models import is_model, list_models
from torch import Tensor, nn

from dlcore.interfaces import FeatureSpec
from dlcore.pretrained import explain_misfit, find_file, read_state_dict
from dlcore_plugins.timm_backbones.hub import fetch
from dlcore_plugins.timm_backbones.weights import fit


def build_model(
    model_name: str,
    pretrained: bool | str | None,
    attempts: Sequence[Mapping[str, Any]] = ({},),
    **options: Any,
) -> Any:
    """A timm model without its classifier.

    Args:
        model_name: Name in timm, with or without the tag of its weights.
        pretrained: True for the weights that timm recommends, False or None for none, or a file
            as `dlcore.pretrained.find_file` takes it.
        attempts: Further arguments, in order of preference; the first that the model takes count.
        options: Arguments that the model must take, except those that are None.

    Raises:
        ValueError: If there is no such model, it does not take an option, or the weights cannot be
            had or do not fit.
    """
    if not is_model(model_name):
        near = difflib.get_close_matches(model_name.lower(), list_models(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; see timm.list_models()"
        raise ValueError(f"model_name: timm has no model {model_name!r}{hint}")
    given = {name: value for name, value in options.items() if value is not None}
    weights: dict[str, Any] = {}
    if pretrained:
        if isinstance(pretrained, str):
            state = _local_weights(model_name, pretrained)
        else:
            state = read_state_dict(fetch(model_name))
        # timm adapts them where it knows how: older names, position embeddings of another size
        weights = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state}}
    for attempt in attempts:
        try:
            return _create(model_name, num_classes=0, **given, **attempt, **weights)
        except TypeError as error:
            for name in given:
                if f"'{name}'" in str(error):
                    raise ValueError(f"{name}: {model_name!r} does not take it") from error
            refusal = error
    raise refusal


def _create(model_name: str, **options: Any) -> Any:
    try:
        return timm.create_model(model_name, **options)
    except RuntimeError as error:  # an unknown tag, or weights that do not fit
        raise ValueError(f"model_name: timm cannot make {model_name!r}: {error}") from error


def _local_weights(model_name: str, name: str) -> dict[str, Tensor]:
    path = find_file(name)
    state = read_state_dict(path)
    whole = _create(model_name)
    classifier = whole.pretrained_cfg.get("classifier") or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    fitting = fit(state, whole, names)
    if fitting is None:
        raise ValueError(
            f"pretrained: {str(path)!r} holds no weights of {model_name!r}: "
            f"{explain_misfit(state, whole)}"
        )
    return fitting


def normalization(model: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, of colours from 0 to 1, that a model's weights expect."""
    return tuple(model.pretrained_cfg["mean"]), tuple(model.pretrained_cfg["std"])


def probe(
    maps_of: Callable[[Tensor], Sequence[Tensor]],
    model: nn.Module,
    size: tuple[int, int],
    strides: Sequence[int],
) -> list[FeatureSpec]:
    """What the maps of a model are, by trying.

    Args:
        maps_of: Images to maps (B, C, h, w).
        model: Switched to evaluation meanwhile.
        size: (height, width) of the image to try with.
        strides: What the model says of its maps.

    Raises:
        ValueError: If a map has another stride.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            maps = maps_of(torch.zeros(1, 3, *size))
    finally:
        model.train(training)
    specs = []
    for features, stride in zip(maps, strides, strict=True):
        cells = tuple(math.ceil(side / stride) for side in size)
        if tuple(features.shape[2:]) != cells:
            raise ValueError(
                f"gives {' x '.join(map(str, features.shape[2:]))} cells for an image of "
                f"{size[0]} x {size[1]} pixels, which is no regular grid of stride {stride}"
            )
        specs.append(FeatureSpec(channels=features.shape[1], stride=stride))
    return specs
