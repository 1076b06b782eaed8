"""The speed of light of a prediction: the bare network, and the bare decoder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import av
import torch

from dlcore.cli.options import make_host
from dlcore.engine.allocator import keep_freed_memory
from dlcore.engine.assembly import build_model
from dlcore.engine.devices import resolve_device
from dlcore.engine.precision import Precision
from dlcore.engine.snapshots import load_snapshot, load_weights
from dlcore.inference.trained_run import TrainedRun
from tests.benchmarks.light_training import now
from tests.benchmarks.processes import tell

_WARM_UP = 2
_MOST_BATCHES = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--frames", type=int, required=True)
    args = parser.parse_args()
    decoded, size = decoder_speed(args.video)
    batches = max(1, min(_MOST_BATCHES, args.frames // args.batch_size))
    device = resolve_device(args.device, None)
    if device.type == "cpu":
        keep_freed_memory()
    model = model_speed(args.run, device, args.precision, (args.batch_size, 3, *size), batches)
    tell({"model_frames_per_s": model, "decoder_frames_per_s": decoded, "size": size[::-1]})


def decoder_speed(path: Path) -> tuple[float, tuple[int, int]]:
    """Frames per second to arrays in RGB, and their (height, width)."""
    start = time.perf_counter()
    count, size = 0, (0, 0)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            size = frame.to_ndarray(format="rgb24").shape[:2]
            count += 1
    return count / (time.perf_counter() - start), size


@torch.inference_mode()
def model_speed(
    folder: Path,
    device: torch.device,
    precision: str,
    shape: tuple[int, int, int, int],
    batches: int,
) -> float:
    """Images per second of the network alone."""
    run = TrainedRun.open(folder, make_host())
    config, path = run.loaded.config, run.snapshot(None)
    layout = torch.channels_last if config.runner.channels_last else torch.contiguous_format
    model = build_model(run.host, config, run.task, fresh=False)
    load_weights(model, load_snapshot(path)["model"], path)
    model = model.to(device).to(memory_format=layout).eval()
    images = torch.randn(shape, device=device).contiguous(memory_format=layout)
    arithmetic = Precision(precision, device.type)
    for number in range(_WARM_UP + batches):
        if number == _WARM_UP:
            start = now(device)
        with arithmetic.autocast():
            model(images)
    return batches * shape[0] / (now(device) - start)


if __name__ == "__main__":
    main()
