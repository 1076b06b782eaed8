"""The speed of light of a training: the bare model on resident tensors.

The model, its losses, the optimizer, the arithmetic and the layout are those of a run; there are no
images to read, no labels to make targets from, no log and no snapshot.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from dlcore.building import build
from dlcore.cli.options import make_host
from dlcore.config.loading import load_config
from dlcore.data.device import to_device
from dlcore.engine.allocator import keep_freed_memory
from dlcore.engine.assembly import build_model, input_size_of
from dlcore.engine.compilation import compile_forward
from dlcore.engine.devices import resolve_device
from dlcore.engine.optim import build_optimizer
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision
from dlcore.engine.setup import find_dataset, load_run_data
from dlcore.engine.stages import stages_of
from tests.benchmarks.processes import tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()

    host = make_host()
    loaded = load_config(args.config, host, args.set)
    stage = stages_of(loaded.config, "pose")[0]
    section = stage.runner
    device = resolve_device(args.device, section.gpus)
    layout = torch.channels_last if section.channels_last else torch.contiguous_format
    if device.type == "cpu":
        keep_freed_memory()
    dataset = find_dataset(loaded, host)
    model = build_model(host, loaded.config, dataset.task, fresh=False)
    data = load_run_data(
        loaded, host, dataset, stage, input_size=input_size_of(model), pin_memory=False
    )
    batch = to_device(next(data.train.epoch(1)), device, data.train_normalization, layout)
    data.close()
    model = model.to(device).to(memory_format=layout).train()
    precision = Precision(args.precision, device.type)
    runner: PoseTrainingRunner = build(
        host, "runners", {"type": section.type}, model, data.task, precision.autocast
    )
    if args.compile:
        compile_forward(runner, batch)
    optimizer = build_optimizer(
        host, section.optimizer.model_dump(), model.parameters(), "runner.optimizer"
    )
    scaler = precision.make_scaler()
    images = torch.randn_like(batch.images)
    with torch.no_grad():
        targets = model.targets(runner.outputs(batch), batch.labels)

    def step() -> None:
        with precision.autocast():
            outputs = runner.forward(images, batch.conditions)
        outputs = {
            head: {name: tensor.float() for name, tensor in named.items()}
            for head, named in outputs.items()
        }
        losses = model.losses(outputs, targets)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(losses["total_loss"]).backward()
        scaler.step(optimizer)
        scaler.update()

    for _ in range(args.warm_up):
        step()
    start = now(device)
    for _ in range(args.steps):
        step()
    seconds = now(device) - start
    tell({"seconds": seconds, "steps": args.steps, "size": list(images.shape[:1:-1])})


def now(device: torch.device) -> float:
    """The time, when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
