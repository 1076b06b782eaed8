"""Each measurement is a process of its own: run it, and see what it took.

The process that starts the others must stay small: on Linux the peak memory of a child is at least
that of its parent when it was started.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import machine

ROOT = Path(__file__).parents[2]
_MIB = 2**20 if sys.platform == "darwin" else 2**10  # units of ru_maxrss in a MiB
_TAIL = 25
_PATIENCE = 5.0  # seconds to end in good order

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "WANDB_MODE": "offline",
}
"""Nobody goes to the network."""


class ChildError(Exception):
    """A process failed, or took too long."""


@dataclass(frozen=True)
class Ran:
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        peak_mib: The most memory that it, or one of its children, had at once.
        neighbours: How many cores other processes used meanwhile; None if nobody says.
        marked: Seconds from its start to the first line on stderr that matched; None if none did.
        stdout: What it wrote.
        stderr: What it wrote.
    """

    seconds: float
    peak_mib: float
    neighbours: float | None
    marked: float | None
    stdout: str
    stderr: str

    def result(self) -> Any:
        """The JSON at the end of stdout: its last line, or all of it."""
        text = self.stdout.strip()
        try:
            return json.loads(text)
        except ValueError:
            return json.loads(text.rpartition("\n")[2])


def run(
    command: Sequence[str | Path],
    *,
    threads: int | None = None,
    mark: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 3600.0,
) -> Ran:
    """Run a command to its end.

    Args:
        command: And its arguments.
        threads: For OMP_NUM_THREADS; None leaves it out.
        mark: A regular expression to look for on stderr.
        env: More variables.
        timeout: Seconds after which it is ended.

    Raises:
        ChildError: If it fails; the message holds the end of what it wrote.
    """
    words = [str(word) for word in command]
    variables = os.environ | QUIET | dict(env or {})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        variables.pop(name, None)
    if threads is not None:
        variables["OMP_NUM_THREADS"] = str(threads)
    pattern = re.compile(mark) if mark else None
    lines: list[str] = []
    marked: float | None = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        busy, start = machine.busy_seconds(), time.perf_counter()
        process = subprocess.Popen(
            words, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        too_late, ended = threading.Event(), threading.Event()

        def end() -> None:
            too_late.set()
            _end(process.pid, ended)

        timer = threading.Timer(timeout, end)
        timer.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if marked is None and pattern is not None and pattern.search(line):
                    marked = time.perf_counter() - start
                lines.append(line)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            _end(process.pid, ended)
            process.wait()
            raise
        finally:
            ended.set()
            timer.cancel()
            if process.stderr is not None:
                process.stderr.close()
        after = machine.busy_seconds()
        out.seek(0)
        stdout = out.read()
    stderr = "".join(lines)
    if process.returncode:
        why = f"was ended after {timeout:.0f} s" if too_late.is_set() else "failed"
        tail = "\n".join((stdout + stderr).splitlines()[-_TAIL:])
        raise ChildError(f"{' '.join(words)} {why}:\n{tail}")
    others = None
    if busy is not None and after is not None:
        others = max(0.0, (after - busy - usage.ru_utime - usage.ru_stime) / seconds)
    return Ran(seconds, usage.ru_maxrss / _MIB, others, marked, stdout, stderr)


def child(name: str) -> list[str]:
    """The command of one of the modules of this package."""
    return [sys.executable, "-m", f"tests.benchmarks.{name}"]


def dlcore(*arguments: str | Path) -> list[str]:
    """The command `dlcore`."""
    return [sys.executable, "-m", "dlcore", *map(str, arguments)]


def tell(value: Any) -> None:
    """What a child has to say, as a line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")


def _end(pid: int, ended: threading.Event) -> None:
    """Ask a process and its children to end; if they do not, end them."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, how)
        except ProcessLookupError:
            return
        if ended.wait(_PATIENCE):
            return
