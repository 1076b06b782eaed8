"""Where the weights are that timm recommends for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timm.models import get_pretrained_cfg

from dlcore.pretrained import from_hub, from_url

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def fetch(model_name: str) -> Path:
    """The file with the weights that timm recommends for a model, downloaded where necessary.

    Raises:
        ValueError: If there are none or they cannot be had, with what to do instead.
    """
    config: Any = get_pretrained_cfg(model_name)
    if config is not None and config.hf_hub_id:
        files = (config.hf_hub_filename,) if config.hf_hub_filename else _HUB_FILES
        repository, _, revision = config.hf_hub_id.partition("@")
        return from_hub(model_name, repository, files, revision or None)
    if config is not None and config.url:
        return from_url(model_name, config.url)
    raise ValueError(
        f"pretrained: true: timm has no weights for {model_name!r}; write pretrained: false to "
        f"start from random weights, or pretrained: path/to/file"
    )
