"""Training: images per second of dlcore, the speed of light and DeepLabCut, one round of each."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcore.engine.run_folder import MANIFEST
from tests.benchmarks.job import PLUGIN, Job, Settings, found
from tests.benchmarks.processes import Ran, child, dlcore, run

DLCORE, LIGHT, DEEPLABCUT = "dlcore", "light", "deeplabcut"


@dataclass(frozen=True)
class Measured:
    """One value and what is to be said of it.

    Attributes:
        value: Images or frames per second, or whatever is measured.
        ran: The process.
        about: Facts for the JSON file.
    """

    value: float
    ran: Ran
    about: dict[str, Any]


def train_dlcore(settings: Settings, job: Job, precision: str) -> Measured:
    """`dlcore train`, its epochs but the first one."""
    output = settings.folder / "run_dlcore"
    shutil.rmtree(output, ignore_errors=True)
    times = settings.folder / "steps.jsonl"
    times.unlink(missing_ok=True)
    clock = {"type": "StepTimes", "path": str(times), "steps": settings.epoch_steps}
    ran = run(
        [
            *dlcore("train", job.config, "--output", output, "--plugin", PLUGIN),
            *("--device", settings.device),
            *(["--stage", "pose"] if job.top_down else []),
            *("--set", f"callbacks=[{json.dumps(clock)}]"),
            *("--set", f"train_settings.epochs={settings.epochs}"),
            *("--set", f"runner.precision={precision}"),
            *settings.set_options,
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    epochs = read_times(times)
    log = (output / "train.txt").read_text()
    about = {
        "precision": json.loads((output / MANIFEST).read_text())["precision"],
        "why": found(r"precision: \w+ \((.*)\)", log),
        "compiled": "compiled the model" in log,
        "device": epochs[0]["device"],
        "optimizer": epochs[0]["optimizer"],
        "steps": sum(epoch["steps"] for epoch in epochs),
    }
    return Measured(images_per_second(epochs, settings.batch_size), ran, about)


def train_light(settings: Settings, job: Job, chosen: dict[str, Any]) -> Measured:
    """The same model on tensors that are there already.

    Args:
        settings: What the user asked for.
        job: What is trained.
        chosen: The facts of `train_dlcore`: this one computes in the same way.
    """
    ran = run(
        [
            *child("light_training"),
            job.config,
            *("--device", chosen["device"]),
            *("--precision", chosen["precision"]),
            *(["--compile"] if chosen["compiled"] else []),
            *("--warm-up", str(settings.epoch_steps)),
            *("--steps", str(settings.epoch_steps * (settings.epochs - 1))),
            *settings.set_options,
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    about = ran.result()
    return Measured(settings.batch_size * about["steps"] / about["seconds"], ran, about)


def train_deeplabcut(settings: Settings, job: Job, workers: int | None = None) -> Measured:
    """DeepLabCut on the same config and data, its epochs but the first one.

    Args:
        settings: What the user asked for.
        job: What is trained.
        workers: Processes that load images; None leaves it at what the config says.
    """
    output = settings.folder / "run_deeplabcut"
    shutil.rmtree(output, ignore_errors=True)
    ran = run(
        [
            *settings.peer_command("train", job.data, job.peer_config),
            *("--epochs", str(settings.epochs), "--batch", str(settings.batch_size)),
            *("--eval-interval", "100000", "--out", str(output)),
            *(["--workers", str(workers)] if workers is not None else []),
        ],
        timeout=settings.timeout,
    )
    result = json.loads((output / "train.json").read_text())["pose"]
    steps = result["steps"][settings.epoch_steps :]
    seconds = sum(step["total"] for step in steps)
    parts = ("data", "forward", "target", "loss", "backward", "optimizer")
    about = {
        "workers": result["dataloader_workers"],
        "size": [steps[0]["width"], steps[0]["height"]],
        "steps": len(steps),
        "parts_ms_per_step": {
            part: 1000 * sum(step.get(part, 0.0) for step in steps) / len(steps) for part in parts
        },
    }
    return Measured(sum(step["images"] for step in steps) / seconds, ran, about)


def deeplabcut_at_its_best(settings: Settings, job: Job) -> Measured:
    """As its config has it, and if that means workers also without them: the faster one."""
    own = train_deeplabcut(settings, job)
    if not own.about["workers"]:
        return own
    return max(own, train_deeplabcut(settings, job, workers=0), key=lambda m: m.value)


def read_times(path: Path) -> list[dict[str, Any]]:
    """What `StepTimes` wrote, without the first epoch."""
    epochs = [json.loads(line) for line in path.read_text().splitlines()]
    return epochs[1:] or epochs


def images_per_second(epochs: list[dict[str, Any]], batch_size: int) -> float:
    """Of what `StepTimes` wrote."""
    steps: int = sum(epoch["steps"] for epoch in epochs)
    seconds: float = sum(epoch["seconds"] for epoch in epochs)
    return batch_size * steps / seconds
