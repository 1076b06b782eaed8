"""Trained weights for the HRNet inside a conditional model: timm's, or a local file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timm.models import get_pretrained_cfg
from torch import nn

from dlcore.pretrained import explain_misfit, find_file, from_hub, read_state_dict, shapes

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
CLASSIFIER = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")


def load(model: nn.Module, model_name: str, pretrained: bool | str) -> None:
    """Load trained weights into an HRNet of timm.

    Args:
        model: The network, without its classifier; a file may have one.
        model_name: Its name in timm.
        pretrained: True for timm's weights, or a file as `dlcore.pretrained.find_file` takes it.

    Raises:
        ValueError: If they cannot be had or do not fit.
    """
    path = find_file(pretrained) if isinstance(pretrained, str) else _timm_weights(model_name)
    state = {
        key: value for key, value in read_state_dict(path).items() if not key.startswith(CLASSIFIER)
    }
    if shapes(state) != shapes(model.state_dict()):
        raise ValueError(
            f"pretrained: {str(path)!r} holds no weights of {model_name!r}: "
            f"{explain_misfit(state, model)}"
        )
    model.load_state_dict(state, strict=False)  # old files lack counters of batch norm


def _timm_weights(model_name: str) -> Path:
    config: Any = get_pretrained_cfg(model_name)
    if config is None or not config.hf_hub_id:
        raise ValueError(
            f"pretrained: true: timm has no weights for {model_name!r}; write pretrained: false "
            f"to start from random weights, or pretrained: path/to/file"
        )
    files = (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES
    repository, _, revision = config.hf_hub_id.partition("@")
    return from_hub(model_name, repository, files, revision or None)
