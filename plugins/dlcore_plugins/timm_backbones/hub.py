"""Weights from the network, or from what an earlier download left; a plain answer within seconds.

timm itself keeps trying for most of a minute where there is no network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import huggingface_hub
import torch
from huggingface_hub import constants
from timm.models import get_pretrained_cfg

T = TypeVar("T")

PATIENCE_SECONDS = 4.0
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class WeightsUnavailableError(Exception):
    """Why weights cannot be had."""


def fetch(model_name: str) -> Path:
    """The file with the weights that timm recommends for a model, downloaded where necessary.

    Raises:
        ValueError: If there are none or they cannot be had, with what to do instead.
    """
    config: Any = get_pretrained_cfg(model_name)
    try:
        if config is not None and config.hf_hub_id:
            files = (config.hf_hub_filename,) if config.hf_hub_filename else _HUB_FILES
            repository, _, revision = config.hf_hub_id.partition("@")
            return _from_hub(repository, revision or None, files)
        if config is not None and config.url:
            return _from_url(config.url)
    except WeightsUnavailableError as error:
        raise ValueError(
            f"pretrained: true: the weights of {model_name!r} cannot be had: {error}\n"
            f"  to go on, write pretrained: false (start from random weights), or\n"
            f"  pretrained: path/to/file (a .safetensors, .pt or .pth file of this model), or\n"
            f"  run once where there is a network, and copy its cache "
            f"({constants.HF_HUB_CACHE}) to this machine or name it in HF_HOME"
        ) from error
    raise ValueError(
        f"pretrained: true: timm has no weights for {model_name!r}; write pretrained: false to "
        f"start from random weights, or pretrained: path/to/file"
    )


def _from_hub(repository: str, revision: str | None, files: tuple[str, ...]) -> Path:
    for name in files:
        cached = huggingface_hub.try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    if constants.HF_HUB_OFFLINE:
        raise WeightsUnavailableError(
            f"{repository}/{files[0]} is not in the cache, and HF_HUB_OFFLINE forbids to download"
        )
    for name in files:
        url = huggingface_hub.hf_hub_url(repository, name, revision=revision)
        if _exists(url):
            get = partial(huggingface_hub.hf_hub_download, repository, name, revision=revision)
            return Path(_download(get))
    raise WeightsUnavailableError(f"{repository} holds none of {', '.join(files)}")


def _from_url(url: str) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    if not _exists(url):
        raise WeightsUnavailableError(f"there is nothing at {url}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _download(partial(torch.hub.download_url_to_file, url, str(path)))
    return path


def _exists(url: str) -> bool:
    """Whether a server has a file.

    Raises:
        WeightsUnavailableError: If no answer comes soon.
    """
    answers: list[int | Exception] = []

    def ask() -> None:
        try:
            session = huggingface_hub.get_session()  # knows the user's proxies and certificates
            answers.append(session.head(url, timeout=PATIENCE_SECONDS).status_code)
        except Exception as error:  # noqa: BLE001  it is told below, in the caller's thread
            answers.append(error)

    thread = threading.Thread(target=ask, daemon=True)  # looking up a name has no timeout
    thread.start()
    thread.join(PATIENCE_SECONDS)
    if not answers:
        raise WeightsUnavailableError(f"no answer from {url} within {PATIENCE_SECONDS:g} seconds")
    if isinstance(answers[0], Exception):
        reason = str(answers[0]) or type(answers[0]).__name__
        raise WeightsUnavailableError(f"{url} cannot be reached ({reason})")
    if answers[0] >= 500 or answers[0] in (401, 403):
        raise WeightsUnavailableError(f"{url} answers with status {answers[0]}")
    return answers[0] != 404


def _download(get: Callable[[], T]) -> T:
    try:
        return get()
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise WeightsUnavailableError(f"the download failed ({reason})") from error
