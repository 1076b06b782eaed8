"""Weights from the network, or from what an earlier download left; a plain answer within seconds.

The libraries for it keep trying for most of a minute where there is no network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import huggingface_hub
import torch
from huggingface_hub import constants

T = TypeVar("T")

PATIENCE_SECONDS = 4.0


class WeightsUnavailableError(Exception):
    """Why weights cannot be had."""


def from_hub(
    model_name: str, repository: str, files: Sequence[str], revision: str | None = None
) -> Path:
    """The first of some files that a repository of the Hugging Face hub holds.

    It is taken from the hub's cache if it is there, and downloaded to it otherwise.

    Args:
        model_name: Whose weights they are, for messages.
        repository: "owner/name".
        files: Names of files in it, in order of preference.
        revision: A branch, tag or commit.

    Raises:
        ValueError: If the weights cannot be had, with what to do instead.
    """
    with _advice(model_name, constants.HF_HUB_CACHE, "HF_HOME"):
        for name in files:
            cached = huggingface_hub.try_to_load_from_cache(repository, name, revision=revision)
            if isinstance(cached, str):
                return Path(cached)
        if constants.HF_HUB_OFFLINE:
            raise WeightsUnavailableError(
                f"{repository}/{files[0]} is not in the cache, "
                f"and HF_HUB_OFFLINE forbids to download"
            )
        for name in files:
            url = huggingface_hub.hf_hub_url(repository, name, revision=revision)
            if _exists(url):
                get = partial(huggingface_hub.hf_hub_download, repository, name, revision=revision)
                return Path(_download(get))
        raise WeightsUnavailableError(f"{repository} holds none of {', '.join(files)}")


def from_url(model_name: str, url: str) -> Path:
    """A file at an address, from the cache of torch's hub or downloaded to it.

    Args:
        model_name: Whose weights they are, for messages.
        url: Where the file is.

    Raises:
        ValueError: If the weights cannot be had, with what to do instead.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    with _advice(model_name, str(folder), "TORCH_HOME"):
        path = folder / url.rpartition("/")[2]
        if path.is_file():
            return path
        if not _exists(url):
            raise WeightsUnavailableError(f"there is nothing at {url}")
        folder.mkdir(parents=True, exist_ok=True)
        _download(partial(torch.hub.download_url_to_file, url, str(path)))
        return path


@contextmanager
def _advice(model_name: str, cache: str, variable: str) -> Iterator[None]:
    """Turn not having weights into advice.

    Args:
        model_name: Whose weights they are.
        cache: The folder where downloads are kept.
        variable: The environment variable that moves it.

    Raises:
        ValueError: With the advice.
    """
    try:
        yield
    except WeightsUnavailableError as error:
        raise ValueError(
            f"pretrained: true: the weights of {model_name!r} cannot be had: {error}\n"
            f"  to go on, write pretrained: false (start from random weights), or\n"
            f"  pretrained: path/to/file (a .safetensors, .pt or .pth file of this model), or\n"
            f"  run once where there is a network, and copy its cache "
            f"({cache}) to this machine or name it in {variable}"
        ) from error


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
