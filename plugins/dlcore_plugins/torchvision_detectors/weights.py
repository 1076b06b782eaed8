"""Trained weights for detectors: those of torchvision for COCO, or a local file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from dlcore.pretrained import explain_misfit, find_file, from_url, read_state_dict, shapes

PREFIX = "model."
COCO_CLASSES = 91
COCO_ANIMALS = slice(16, 26)
"""Bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe."""


def load(
    model: nn.Module, variant: str, pretrained: bool | str, fresh_parts: Sequence[str] = ()
) -> bool:
    """Load trained weights into a detection model of torchvision, of two classes or of COCO's.

    Two classes get, of a file for the 91 classes of COCO, the rows of the background and the mean
    of those of the animals. Snapshots of DeepLabCut and of dlcore will do too.

    Args:
        model: What gets the weights.
        variant: The name that torchvision has for it.
        pretrained: True for torchvision's weights, or a file as `dlcore.pretrained.find_file` takes
            it.
        fresh_parts: Beginnings of names of tensors that keep their random values where those of
            the file have other shapes.

    Returns:
        Whether all tensors come from the file, and none of the fresh parts is random.

    Raises:
        ValueError: If the weights cannot be had or do not fit.
    """
    if isinstance(pretrained, str):
        path = find_file(pretrained)
    else:
        path = from_url(variant, get_model_weights(variant)["COCO_V1"].url)
    state = read_state_dict(path)
    if state and all(key.startswith(PREFIX) for key in state):
        state = {key.removeprefix(PREFIX): value for key, value in state.items()}
    own = model.state_dict()
    fresh = {key for key in own if key.startswith(tuple(fresh_parts))} if fresh_parts else set()
    complete = True
    for key in [key for key in state if key in own and state[key].shape != own[key].shape]:
        if key in fresh:
            state[key] = own[key]
            complete = False
        elif state[key].shape[:1].numel() * 2 == own[key].shape[:1].numel() * COCO_CLASSES:
            state[key] = _two_classes(state[key])
    try:  # torchvision renames the keys of older files while it loads them
        missing, unknown = model.load_state_dict(state, strict=False)
        fits = not unknown and not shapes({key: own[key] for key in missing})
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"pretrained: {str(path)!r} holds no weights of {variant!r}: "
            f"{explain_misfit(state, model)}"
        )
    return complete


def _two_classes(values: Tensor) -> Tensor:
    """Rows of 91 classes (A * 91, ...) for A anchors to rows of background and animal (A * 2, ...).

    The index of the class is the faster one.
    """
    by_class = values.unflatten(0, (-1, COCO_CLASSES))
    return torch.stack([by_class[:, 0], by_class[:, COCO_ANIMALS].mean(dim=1)], dim=1).flatten(0, 1)
