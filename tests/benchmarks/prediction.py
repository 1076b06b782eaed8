"""Predicting a video: whole commands, without their start-up, and the speed of light."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.job import Job, Net, Settings, found, make_job
from tests.benchmarks.processes import child, dlcore, run
from tests.benchmarks.training import Measured

_TRAINED_SIZE = 128


@dataclass(frozen=True)
class Clip:
    """A trained model and a video.

    Attributes:
        job: What was trained.
        run: Folder of the run.
        snapshot: Its weights.
        video: What to predict.
    """

    job: Job
    run: Path
    snapshot: Path
    video: Path


def make_clip(settings: Settings, net: Net) -> Clip:
    """Train for one epoch, so that there are weights, and draw a video."""
    job = make_job(settings, net, _TRAINED_SIZE)
    folder = settings.folder / f"trained_{net.name}"
    overrides = ("train_settings.epochs=1", "train_settings.batch_size=2", "runner.precision=fp32")
    run(
        [
            *dlcore("train", job.config, "--output", folder, "--device", settings.device),
            *[word for override in overrides for word in ("--set", override)],
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    video = settings.video or settings.folder / "video.mp4"
    if not video.is_file():
        numbers = ["--count", str(settings.frames), "--size", str(settings.size)]
        run([*child("drawing"), "video", video, *numbers], threads=settings.threads)
    return Clip(job, folder, max(folder.glob("snapshot-*.pt")), video)


def predict_dlcore(settings: Settings, clip: Clip, precision: str) -> Measured:
    """`dlcore predict`; with precision "auto" as it is without the option."""
    output = settings.folder / "predicted"
    shutil.rmtree(output, ignore_errors=True)
    ran = run(
        [
            *dlcore("predict", clip.run, clip.video, "--output", output),
            *("--batch-size", str(settings.batch_size), "--device", settings.device),
            *([] if precision == "auto" else ["--precision", precision]),
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    frames = int(found(r": (\d+) frames", ran.stdout) or 0)
    running = found(r"([\d.]+) frames/s", ran.stdout)
    about = {
        "frames": frames,
        "running_frames_per_s": float(running) if running else None,
        "precision": _precision(ran.stderr) if precision == "auto" else precision,
        "peak_mib": ran.peak_mib,
    }
    return Measured(frames / ran.seconds, ran, about)


def predict_deeplabcut(settings: Settings, clip: Clip) -> Measured:
    """DeepLabCut with the same weights."""
    ran = run(
        [
            *settings.peer_command("video", clip.video, clip.job.peer_config),
            *("--snapshot", str(clip.snapshot), "--batch", str(settings.batch_size)),
            *("--out", str(settings.folder / "video.npz")),
        ],
        timeout=settings.timeout,
    )
    result = ran.result()
    about = {
        "frames": result["frames"],
        "running_frames_per_s": result["frames_per_second"],
        "peak_mib": ran.peak_mib,
    }
    return Measured(result["frames"] / ran.seconds, ran, about)


def predict_light(settings: Settings, clip: Clip, chosen: dict[str, Any]) -> Measured:
    """The bare network on resident tensors and the bare decoder: the slower one bounds.

    Args:
        settings: What the user asked for.
        clip: The model and the video.
        chosen: The facts of `predict_dlcore`.
    """
    ran = run(
        [
            *child("light_prediction"),
            *(clip.run, clip.video),
            *("--batch-size", str(settings.batch_size), "--device", settings.device),
            *("--precision", chosen["precision"], "--frames", str(chosen["frames"])),
        ],
        threads=settings.threads,
        timeout=settings.timeout,
    )
    about = ran.result()
    model, decoder = about["model_frames_per_s"], about["decoder_frames_per_s"]
    about["bound_by"] = "network" if model < decoder else "decoder"
    return Measured(min(model, decoder), ran, about)


def _precision(log: str) -> str:
    """What `dlcore predict` says of its arithmetic; where it says nothing it is fp32."""
    return found(r"precision: (\w+)", log) or "fp32"
