"""What a run says about itself while it trains and when it ends, for whoever lists runs.

`status.json` tells a run that trains from one that was stopped, failed or is complete. A process
that is killed cannot say so: the file names it, so that a reader can see that it is gone.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dlcore.engine.run_folder import LOGGER, write_text
from dlcore.errors import TrainingError

STATUS = "status.json"

State = Literal["running", "complete", "interrupted", "failed"]


class RunStatus:
    """Keeps `status.json` of a run.

    A status that cannot be written is warned about once; training goes on.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATUS
        self._values: dict[str, Any] = {}

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """Say how what runs inside has ended, if a stage had begun."""
        try:
            yield
        except KeyboardInterrupt:
            self._end("interrupted")
            raise
        except BaseException as error:
            text = str(error).strip() or type(error).__name__
            self._end("failed", error=text.splitlines()[0])
            raise
        self._end("complete")

    def begin(self, stage: str) -> None:
        """Say that a stage is being trained by this process."""
        self._values |= {
            "state": "running",
            "stage": stage,
            "process": os.getpid(),
            "process_start": process_start(os.getpid()),
            "host": platform.node(),
            "since": self._values.get("since") or _now(),
        }
        self._write()

    def stopped(self, reason: str) -> None:
        """Say why a stage has ended before its last epoch: a callback wanted so."""
        self._values.setdefault("stopped", {})[self._values["stage"]] = reason

    def _end(self, state: State, **more: str) -> None:
        if self._values:
            self._values |= {"state": state, "until": _now(), **more}
            self._write()

    def _write(self) -> None:
        text = json.dumps(self._values, indent=2) + "\n"
        try:
            write_text(self._path, text)
        except TrainingError as error:
            LOGGER.warning("the status of the run was not written: %s", error)


def process_start(process: int) -> str | None:
    """When a process began, in a form that tells it from a later one of the same number.

    Returns:
        None where the system does not tell: it is not Linux, or there is no such process.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[19]  # field 22, counted behind the name in brackets


def is_alive(status: Mapping[str, Any]) -> bool | None:
    """Whether the process that a status names is still there.

    Returns:
        None if that cannot be seen from here: it is on another machine.
    """
    process = status.get("process")
    if status.get("host") != platform.node() or not isinstance(process, int):
        return None
    if status.get("process_start") is not None:
        return process_start(process) == str(status["process_start"])
    if os.name != "posix":  # a signal of 0 is not harmless elsewhere
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
