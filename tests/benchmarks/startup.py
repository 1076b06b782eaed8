"""How long commands take until they do what they are for, and how much memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from tests.benchmarks.job import Net, Settings, make_job
from tests.benchmarks.processes import ChildError, Ran, dlcore, run

NET = "cspnext_s"
SIZE = 128
"""The small config whose first step is waited for."""

QUICK = ("list", "help", "check")
FIRST_STEP, MEMORY = "first_step", "peak_memory"

_OURS = r"epoch 1, step 1/"
_THEIRS = r"Number of iterations: 1\b"


def quick(settings: Settings) -> dict[str, list[float]]:
    """Seconds of the commands that need no torch, and of a Python that does nothing."""
    config = make_job(settings, Net(NET), SIZE).config
    commands = {
        "list": dlcore("list"),
        "help": dlcore("--help"),
        "check": dlcore("check", config),
        "light": [sys.executable, "-c", "pass"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(settings.repeats):
        for name, command in commands.items():
            seconds[name].append(run(command).seconds)
    return seconds


def seconds_of(ran: Ran) -> float:
    """Until the first training step was done; the whole time of a process without training."""
    return ran.seconds if ran.marked is None else ran.marked


def first_step(settings: Settings) -> Mapping[str, Ran]:
    """`dlcore train` and DeepLabCut on a small config, and a Python that imports torch.

    Raises:
        ChildError: If one fails, or its log does not say when the first step is done.
    """
    job = make_job(settings, Net(NET), SIZE)
    output = settings.folder / "run_startup"
    shutil.rmtree(output, ignore_errors=True)
    found = {
        "dlcore": run(
            [
                *dlcore("train", job.config, "--output", output, "--device", settings.device),
                *("--set", "train_settings.epochs=1", "--set", "train_settings.display_iters=1"),
                *settings.set_options,
            ],
            threads=settings.threads,
            mark=_OURS,
            timeout=settings.timeout,
        ),
        "light": run([sys.executable, "-c", "import torch"], threads=settings.threads),
    }
    if settings.peer is not None:
        output = settings.folder / "run_startup_deeplabcut"
        shutil.rmtree(output, ignore_errors=True)
        found["deeplabcut"] = run(
            [
                *settings.peer_command("train", job.data, job.peer_config),
                *("--epochs", "1", "--batch", str(settings.batch_size)),
                *("--eval-interval", "100000", "--set", "train_settings.display_iters=1"),
                *("--out", str(output)),
            ],
            mark=_THEIRS,
            timeout=settings.timeout,
        )
    for who, ran in found.items():
        if ran.marked is None and who != "light":
            raise ChildError(f"the log of {who} does not say when the first step was done")
    return found
