"""Where the time of a training step goes, and what bounds the run."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.job import Job, Settings, found
from tests.benchmarks.processes import dlcore, run

STEP = (
    "decode", "augment", "wait", "transfer", "forward", "targets", "loss", "backward", "optimizer",
)  # fmt: skip
"""Parts of `dlcore train --profile` that make a step."""

GROUPS = {
    "data": ("decode", "augment", "wait"),
    "transfer": ("transfer",),
    "network": ("forward", "backward"),
    "targets and losses": ("targets", "loss"),
    "optimizer": ("optimizer",),
}
"""What can bound a run."""


def profile(settings: Settings, job: Job, precision: str) -> dict[str, Any]:
    """One profiled run of dlcore: milliseconds and shares of each part, without the first epoch."""
    output = settings.folder / "run_profiled"
    shutil.rmtree(output, ignore_errors=True)
    ran = run(
        [
            *dlcore("train", job.config, "--output", output, "--profile"),
            *("--device", settings.device),
            *(["--stage", "pose"] if job.top_down else []),
            *("--set", f"train_settings.epochs={settings.epochs}"),
            *("--set", f"runner.precision={precision}"),
            *settings.set_options,
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    seconds = read_profile(output / "learning_stats.csv")
    steps = settings.epoch_steps * (settings.epochs - 1)
    advice = found(r"profile: (.*)", (output / "train.txt").read_text())
    return summary(seconds, steps) | {"advice": advice, "neighbours": ran.neighbours}


def read_profile(path: Path) -> dict[str, float]:
    """Seconds of the parts of a step in all epochs but the first."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[1:] or rows
    return {part: sum(float(row[f"profile/{part}_s"]) for row in rows) for part in STEP}


def summary(seconds: Mapping[str, float], steps: int) -> dict[str, Any]:
    """Milliseconds of a step, shares of it, and the group that takes the most."""
    total = sum(seconds.values()) or 1.0
    shares = {part: value / total for part, value in seconds.items()}
    groups = {name: sum(shares.get(part, 0.0) for part in of) for name, of in GROUPS.items()}
    return {
        "ms_per_step": {part: 1000 * value / steps for part, value in seconds.items()},
        "shares": shares,
        "target_share": shares.get("targets", 0.0),
        "bound_by": max(groups, key=lambda name: groups[name]),
        "groups": groups,
    }
