"""Two processes against one, and the time of an epoch against the number of images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.benchmarks.job import PLUGIN, Job, Settings, draw_images
from tests.benchmarks.processes import Ran, dlcore, run
from tests.benchmarks.training import images_per_second, read_times
from tests.integration.conftest import small_config

_SMALL, _BATCH = 32, 64
_CACHE_GB = 0.05


def processes(settings: Settings, job: Job) -> dict[str, Any]:
    """Images per second of one process and of two, each with half of the threads.

    Raises:
        ChildError: If a run fails.
    """
    threads = max(1, settings.threads // 2)
    speeds = {}
    for count in (1, 2):
        times = settings.folder / f"processes_{count}.jsonl"
        times.unlink(missing_ok=True)
        # so that each process has the same number of steps
        epochs = 1 + count * (settings.epochs - 1)
        steps = settings.epoch_steps if count == 1 else max(1, settings.epoch_steps // 2)
        _train(
            settings,
            job.config,
            {"type": "StepTimes", "path": str(times), "steps": steps},
            [f"train_settings.epochs={epochs}", "runner.precision=fp32"],
            ["--nproc", str(count)] if count > 1 else [],
            threads,
        )
        speeds[count] = images_per_second(read_times(times), settings.batch_size * count)
    return {
        "one_images_per_s": speeds[1],
        "two_images_per_s": speeds[2],
        "ratio": speeds[2] / speeds[1],
        "threads_of_each": threads,
    }


def images(settings: Settings, count: int) -> dict[str, Any]:
    """The second epoch of a tiny model on so many images, and the peak of memory."""
    folder = draw_images(settings, 1, _SMALL, 8)
    config = small_config(folder)
    config["dataset"] = {
        "type": "RepeatedImages",
        "folder": str(folder / "images"),
        "count": count,
    }
    config["train_settings"] |= {
        "batch_size": _BATCH, "epochs": 2, "cache_gb": _CACHE_GB, "display_iters": 10**6,
    }  # fmt: skip
    config["runner"]["optimizer"]["params"]["lr"] = 1e-6
    config["runner"].pop("scheduler")
    file = settings.folder / f"simulated_{count}.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    times = settings.folder / f"simulated_{count}.jsonl"
    times.unlink(missing_ok=True)
    clock = {"type": "StepTimes", "path": str(times), "steps": -(-count // _BATCH)}
    ran = _train(settings, file, clock, [], [], settings.threads)
    seconds = read_times(times)[-1]["seconds"]
    return {
        "images": count,
        "seconds_per_epoch": seconds,
        "us_per_image": 1e6 * seconds / count,
        "peak_mib": ran.peak_mib,
        "neighbours": ran.neighbours,
    }


def _train(
    settings: Settings,
    config: Path,
    clock: dict[str, Any],
    overrides: list[str],
    options: list[str],
    threads: int,
) -> Ran:
    output = settings.folder / "run_scaling"
    shutil.rmtree(output, ignore_errors=True)
    overrides = [f"callbacks=[{json.dumps(clock)}]", *overrides]
    return run(
        [
            *dlcore("train", config, "--output", output, "--plugin", PLUGIN, "--device", "cpu"),
            *[word for override in overrides for word in ("--set", override)],
            *options,
        ],
        threads=threads,
        timeout=settings.timeout,
    )
