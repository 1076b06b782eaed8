"""What a profile says: the line about an epoch, one sentence of advice, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcore.engine.curves import read_curves
from dlcore.engine.profiling import OTHER, PARTS

PREFIX = "profile/"
"""What the names of a profile's numbers begin with: "profile/wait_s", in seconds."""

_DATA = ("decode", "augment", "wait")
_NETWORK = ("forward", "loss", "backward")
_SMALL = 0.01
_COLOURS = {
    "decode": "#0b4f8a",
    "augment": "#1f6fb4",
    "wait": "#8fbbe0",
    "transfer": "#7a6fc0",
    "forward": "#d9641e",
    "targets": "#f0c24b",
    "loss": "#b43a5a",
    "backward": "#e9986b",
    "optimizer": "#8a4b2a",
    "evaluation": "#3a8f4d",
    "snapshots": "#97c9a3",
    OTHER: "#a8a8a8",
}
_ENOUGH = {
    "data": 0.2,
    "transfer": 0.2,
    "targets": 0.2,
    "optimizer": 0.2,
    "evaluation": 0.25,
    "snapshots": 0.15,
    OTHER: 0.2,
}
"""The share of the time from which on something is worth a word."""


@dataclass(frozen=True)
class Circumstances:
    """What advice depends on besides the seconds.

    Attributes:
        workers: Processes that make the batches; 0 if the training process does.
        cores: That this process may use.
        accelerated: Whether the model is on a GPU.
        prefix: What the keys of the stage's sections begin with: "" or "detector.".
    """

    workers: int
    cores: int
    accelerated: bool
    prefix: str = ""


def epoch_line(epoch: int, seconds: Mapping[str, float]) -> str:
    """The line in the log about an epoch: the parts by their shares, the largest first."""
    total = sum(seconds.values())
    parts = sorted(seconds.items(), key=lambda item: -item[1])
    shares = [
        f"{part} {value / total:.0%}" for part, value in parts if total and value >= _SMALL * total
    ]
    return f"profile of epoch {epoch}: {total:.2f} s: {', '.join(shares)}"


def advice(epochs: Mapping[int, Mapping[str, float]], where: Circumstances) -> str | None:
    """One sentence on what takes the time and what may be done; None if nothing was measured.

    The first epoch is left out if there are others: images are decoded and memory is found then.

    Args:
        epochs: Seconds of every part, by epoch.
        where: How the run was made.
    """
    if not epochs:
        return None
    first = min(epochs)
    later = [seconds for epoch, seconds in epochs.items() if epoch != first] or [epochs[first]]
    sums = {part: sum(seconds.get(part, 0.0) for seconds in later) for part in PARTS}
    total = sum(sums.values())
    if total <= 0:
        return None
    shares = {part: value / total for part, value in sums.items()}
    shares["data"] = sum(shares[part] for part in _DATA)
    worth = [name for name, enough in _ENOUGH.items() if shares[name] >= enough]
    if not worth:
        return _of_the_network(sum(shares[part] for part in _NETWORK), where)
    worst = max(worth, key=lambda name: shares[name])
    if worst == "data":
        return _of_data(shares, where, only_first=len(epochs) == 1)
    key, share = where.prefix, f"{shares[worst]:.0%}"
    return {
        "transfer": f"bringing images to the device takes {share} of the time: make them smaller "
        f"with {key}data.train.crop_sampling or resize",
        "targets": f"making the targets takes {share} of the time: smaller images, or a head with "
        f"a larger stride, need smaller ones",
        "optimizer": f"the optimizer takes {share} of the time: raise "
        f"{key}train_settings.batch_size or {key}runner.accumulate_batches",
        "evaluation": f"evaluating takes {share} of the time: raise {key}runner.eval_interval",
        "snapshots": f"saving snapshots takes {share} of the time: raise "
        f"{key}runner.snapshots.save_epochs, or train into a folder on a faster disk",
        OTHER: f"{share} of the time is neither data nor network: look at callbacks, loggers and "
        f"their pictures",
    }[worst]


def _of_data(shares: Mapping[str, float], where: Circumstances, *, only_first: bool) -> str:
    workers = f"{where.prefix}train_settings.dataloader_workers"
    share = f"{shares['data']:.0%}"
    if where.workers > 0:
        idle = where.cores - 1 - where.workers
        remedy = (
            f"raise {workers} above {where.workers}"
            if idle > 0
            else "use fewer or cheaper transforms, or a machine with more cores"
        )
        return f"waiting for data takes {share} of the time: {remedy}"
    if where.accelerated:
        return f"waiting for data takes {share} of the time: set {workers}: auto"
    if shares["decode"] > shares["augment"]:
        share = f"{shares['decode']:.0%}"
        if only_first:
            return (
                f"reading images takes {share} of the time of the first epoch: profile at least "
                f"two, for the later ones may find them in memory"
            )
        return (
            f"reading images takes {share} of the time, as not all fit into memory: raise "
            f"{where.prefix}train_settings.cache_gb, or store smaller images"
        )
    more = f", or try {workers}: 1" if where.cores > 1 else ""
    return (
        f"preparing images takes {share} of the time: use fewer or cheaper transforms, "
        f"or smaller images{more}"
    )


def _of_the_network(share: float, where: Circumstances) -> str:
    remedy = (
        f"{where.prefix}runner.compile: true may help, or a smaller network"
        if where.accelerated
        else "a smaller network, smaller images or a GPU would help"
    )
    return f"the network takes {share:.0%} of the time, as it should: {remedy}"


def draw_profile(csv_path: Path, png_path: Path, title: str | None = None) -> None:
    """Draw the seconds of each epoch as stacked bars; nothing where none were profiled.

    Args:
        csv_path: The run's `learning_stats.csv`, or `learning_stats_detector.csv`.
        png_path: The picture to write.
        title: Stands above the bars.

    Raises:
        ValueError: If the table cannot be read.
    """
    curves = read_curves(csv_path)
    found = {part: curves.get(f"{PREFIX}{part}_s", ([], [])) for part in PARTS}
    epochs = sorted({epoch for its_epochs, _ in found.values() for epoch in its_epochs})
    if not epochs:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    below = dict.fromkeys(epochs, 0.0)
    for part, (its_epochs, values) in found.items():
        if not any(values):
            continue
        bottoms = [below[epoch] for epoch in its_epochs]
        axis.bar(its_epochs, values, 0.85, bottoms, label=part, color=_COLOURS[part])
        for epoch, value in zip(its_epochs, values, strict=True):
            below[epoch] += value
    axis.set_xlabel("epoch")
    axis.set_ylabel("seconds")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()  # stacked as the bars are
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    axis.legend(handles[::-1], labels[::-1], fontsize=8, frameon=False, **place)
    if title is not None:
        figure.suptitle(title, fontsize=8, wrap=True)
    temporary = png_path.with_name(f"{png_path.name}.part")
    figure.savefig(temporary, format="png", dpi=130)
    temporary.replace(png_path)
