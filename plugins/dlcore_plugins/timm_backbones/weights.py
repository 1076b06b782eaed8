"""Fit weights from a file to a timm model."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from torch import Tensor, nn

from dlcore.pretrained import shapes

LOGGER = logging.getLogger("dlcore")


def fit(
    state: Mapping[str, Tensor], model: nn.Module, classifier: Collection[str]
) -> dict[str, Tensor] | None:
    """The tensors under the model's own names, or None if they do not fit.

    They fit by name or, where a file has other names, if all shapes are the same in the same
    order. The classifier, which is last, may differ or be missing.

    Args:
        state: What a file holds.
        model: A timm model with its classifier.
        classifier: Names of the classifier's layers.
    """
    heads = tuple(f"{name}." for name in classifier)
    own, given = shapes(model.state_dict()), shapes(state)
    wanted = {key: shape for key, shape in own.items() if not key.startswith(heads)}
    if wanted == {key: shape for key, shape in given.items() if not key.startswith(heads)}:
        return dict(state)
    extra = len(given) - len(wanted)
    if list(given.values())[: len(wanted)] == list(wanted.values()) and extra in (0, 1, 2):
        LOGGER.info("pretrained: the names in the file are not timm's; taken by order and shape")
        return {key: state[name] for key, name in zip(wanted, given, strict=False)}
    return None
