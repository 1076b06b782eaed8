"""What a run says of an epoch: the line in its log, and why a loss is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from dlcore.engine.loop import NonFiniteLossError
from dlcore.errors import TrainingError
from dlcore.interfaces import Record


def epoch_line(
    number: int,
    epochs: int,
    rate: float,
    losses: Mapping[str, float],
    metrics: Mapping[str, float],
    images_per_second: float,
    seconds_left: float | None = None,
) -> str:
    """The line in the log about an epoch.

    Args:
        number: From 1.
        epochs: In all.
        rate: The learning rate of its first step.
        losses: Of the training, with the names of `learning_stats.csv`.
        metrics: What was measured after it, likewise; empty if nothing was.
        images_per_second: In training.
        seconds_left: Of the run; None at its end and where it is not known.
    """
    parts = [
        f"epoch {number}/{epochs} (lr={rate:g})",
        f"train loss {losses['losses/train.total_loss']:.5f}",
    ]
    if "losses/eval.total_loss" in metrics:
        parts.append(f"valid loss {metrics['losses/eval.total_loss']:.5f}")
    parts += [
        f"{name.removeprefix('metrics/')} {value:.2f}"
        for name, value in metrics.items()
        if name.startswith("metrics/")
    ]
    if images_per_second > 0:
        parts.append(f"{images_per_second:.1f} images/s")
    if seconds_left is not None:
        parts.append(f"{tqdm.format_interval(seconds_left)} left")
    return ", ".join(parts)


def explain_non_finite(
    error: NonFiniteLossError, number: int, records: Sequence[Record]
) -> TrainingError:
    """The error to be raised for a loss that is not finite.

    Args:
        error: Says at which step, and which records were in its batch.
        number: The epoch.
        records: The training split.
    """
    losses = ", ".join(f"{n} {v:g}" for n, v in error.losses.items() if not math.isfinite(v))
    images = [str(records[i].image) for i in error.indices]
    lines = [
        f"the loss is not finite in epoch {number}, step {error.step}"
        + (f": {losses}" if losses else ""),
        *(f"  image: {image}" for image in images),
        "  look at these labels, lower runner.optimizer.params.lr, set runner.max_gradient_norm, "
        "or set runner.precision: fp32; the snapshots before this epoch are untouched",
    ]
    return TrainingError("\n".join(lines))
