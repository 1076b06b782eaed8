"""The speed of light of a prediction: the bare network, and the bare decoder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import av
import torch
from av.video.reformatter import VideoReformatter

from dlcore.data.device import to_device
from dlcore.data.video import VideoReader
from dlcore.inference.images import whole_image
from dlcore.inference.trained_model import load_model
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
    decoded = decoder_speed(args.video)
    batches = max(1, min(_MOST_BATCHES, args.frames // args.batch_size))
    model, size = model_speed(args, batches)
    tell({"model_frames_per_s": model, "decoder_frames_per_s": decoded, "size": size})


def decoder_speed(path: Path) -> float:
    """Frames per second to arrays in RGB."""
    start = time.perf_counter()
    count, converter = 0, VideoReformatter()
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
            count += 1
    return count / (time.perf_counter() - start)


@torch.inference_mode()
def model_speed(args: argparse.Namespace, batches: int) -> tuple[float, list[int]]:
    """Images per second of the network alone, and the [width, height] of what it sees."""
    model = load_model(
        args.run, device=args.device, precision=args.precision, batch_size=args.batch_size
    )
    network = model.estimator.network
    where, bare = network.compute.computation, network.compute.model
    frames = (frame.pixels for frame in VideoReader(args.video).frames(0, args.batch_size))
    (batch,) = network.prepare([whole_image(pixels, model.task) for pixels in frames])
    normalization = network.compute.normalization
    images = to_device(batch, where.device, normalization, where.memory_format).images
    for number in range(_WARM_UP + batches):
        if number == _WARM_UP:
            start = now(where.device)
        with where.precision.autocast():
            bare(images)
    return batches * len(images) / (now(where.device) - start), [*images.shape[:1:-1]]


if __name__ == "__main__":
    main()
