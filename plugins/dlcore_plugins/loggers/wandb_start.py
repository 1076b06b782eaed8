"""Start a run of Weights & Biases without asking anybody and without waiting for long."""

from __future__ import annotations

import inspect
import json
import logging
import os
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import wandb

LOGGER = logging.getLogger("dlcore")

PROBE_SECONDS = 5
"""How long the server may take to answer at all."""

INIT_SECONDS = 10
"""How long it may then take to start a run."""

FINISH_SECONDS = 60
"""How long the upload of what is left may take at the end; the files stay in the run's folder."""

_ONLINE = ("online", "run", "shared")


def start_run(arguments: Mapping[str, Any]) -> Any:
    """A run of W&B: an offline one where there is no key or the server is not to be had.

    Args:
        arguments: Of `wandb.init`.
    """
    settings: Mapping[str, Any] = arguments.get("settings") or {}
    mode = arguments.get("mode") or os.environ.get("WANDB_MODE") or wandb.setup().settings.mode
    arguments = {**arguments, "mode": mode, "settings": _with_limits(settings)}
    if mode not in _ONLINE:
        return _announced(wandb.init(**arguments), "")
    reason = _obstacle(settings.get("base_url") or wandb.setup().settings.base_url)
    if not reason:
        try:
            return _announced(wandb.init(**arguments), "")
        except Exception as error:  # noqa: BLE001  whatever it is, the run can be kept
            first_line = str(error).partition("\n")[0]
            reason = f"W&B does not start the run ({first_line})"
    return _announced(wandb.init(**{**arguments, "mode": "offline"}), reason)


def _with_limits(given: Mapping[str, Any]) -> wandb.Settings:
    """W&B's settings, with limits on how long it may make the training wait."""
    limits = {"init_timeout": INIT_SECONDS, "finish_timeout": FINISH_SECONDS}
    known = {k: v for k, v in limits.items() if k in wandb.Settings.model_fields}
    return wandb.Settings(**{**known, **given})


def _obstacle(url: str) -> str:
    """Why no run can be started on the server; empty if nothing is known against it."""
    answers: list[str] = []

    def ask() -> None:
        try:
            _ask(url)
            answers.append("" if _has_key() else "no key for W&B is known")
        except Exception as error:  # noqa: BLE001  nothing may stop the training
            reason = str(error) if isinstance(error, HTTPError) else getattr(error, "reason", error)
            answers.append(f"W&B cannot be reached at {url} ({reason})")

    # Neither looking up a name nor W&B's login has a time limit: a thread may be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answers[0] if answers else f"W&B at {url} does not answer within {PROBE_SECONDS} s"


def _ask(url: str) -> None:
    """Raises whatever is wrong, unless the server answers."""
    query = json.dumps({"query": "{ __typename }"}).encode()
    request = Request(f"{url}/graphql", query, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=2 * PROBE_SECONDS):
            pass
    except HTTPError as error:
        if error.code >= 500:
            raise
    except URLError as error:
        # W&B knows other certificates than Python does.
        if not isinstance(error.reason, ssl.SSLError):
            raise


def _has_key() -> bool:
    if "prompt" in inspect.signature(wandb.login).parameters:
        return bool(wandb.login(prompt=False, verify=False))
    return wandb.api.api_key is not None  # older versions of wandb


def _announced(run: Any, reason: str) -> Any:
    """Say where an offline run lies, and how to send it."""
    if run.offline:
        folder = Path(run.dir).parent
        LOGGER.log(
            logging.WARNING if reason else logging.INFO,
            "%sthe W&B run is kept in %s; send it later with: %swandb sync %s",
            f"{reason}: " if reason else "",
            folder,
            "wandb login; " if reason else "",
            folder,
        )
    return run
