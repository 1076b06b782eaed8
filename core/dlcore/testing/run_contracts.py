"""Contracts of what stands around a training step: schedulers, loggers, runners, net types."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcore.interfaces import (
    Batch,
    Labels,
    Logger,
    NetType,
    PoseTask,
    Record,
    Runner,
    Scheduler,
)
from dlcore.testing.assertions import expect, expect_instance, expect_tensor, through_file


def check_scheduler(make: Callable[[Optimizer], Scheduler], steps: int = 6) -> None:
    """Check that a scheduler gives sound rates and can be resumed at any step.

    Args:
        make: Makes the scheduler for an optimizer with one parameter group of rate 0.1.
        steps: How many steps to look at.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    scheduler = make(_optimizer())
    what = type(scheduler).__name__
    expect_instance(scheduler, Scheduler, what)
    expect(
        scheduler.interval in ("epoch", "step"),
        f"{what}: interval is {scheduler.interval!r}; it must be 'epoch' or 'step'",
    )
    expected = _rates(make(_optimizer()), steps, what)
    for done in range(steps):
        scheduler = make(_optimizer())
        _rates(scheduler, done, what)
        state = through_file(
            {"scheduler": scheduler.state_dict(), "optimizer": scheduler.optimizer.state_dict()},
            what,
        )
        resumed = make(_optimizer())
        resumed.optimizer.load_state_dict(state["optimizer"])
        resumed.load_state_dict(state["scheduler"])
        rest = _rates(resumed, steps - done, what)
        expect(
            rest == expected[done:],
            f"{what} resumed after {done} steps gives the rates {rest} instead of "
            f"{expected[done:]}",
        )


def check_logger(logger: Logger) -> None:
    """Check that a logger takes all that a run tells it, and changes none of it.

    Args:
        logger: What to check; it is closed at the end.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(logger).__name__
    expect_instance(logger, Logger, what)
    config: dict[str, Any] = {
        "net_type": "example",
        "logger": None,
        "runner": {"optimizer": {"params": {"lr": 1e-4}}, "gpus": [0, 1]},
    }
    told = [
        {"losses/train.total_loss": 0.5},
        {"losses/train.total_loss": 0.25, "metrics/test.rmse": math.nan},
        {"losses/train.total_loss": math.inf, "metrics/test.mAP": 50.0},
    ]
    # Small, large, and one that is no contiguous piece of memory.
    images = {
        "images/train.pose": np.arange(60, dtype=np.uint8).reshape(4, 5, 3),
        "images/test.bodypart_heatmap": np.full((96, 128, 3), 200, np.uint8)[::-1, ::2],
    }
    before = copy.deepcopy((config, told))
    images_before = copy.deepcopy(images)
    interval = logger.image_interval
    expect(
        interval is None or (type(interval) is int and interval > 0),
        f"{what}: image_interval is {interval!r}; it must be None or a number of epochs above 0",
    )
    logger.log_config(config)
    for step, metrics in enumerate(told, start=1):
        logger.log(metrics, step)
        logger.log_images(images, step)
    logger.close()
    expect(repr((config, told)) == repr(before), f"{what} changes what it is told")
    expect(
        images.keys() == images_before.keys()
        and all(np.array_equal(images[name], images_before[name]) for name in images),
        f"{what} changes the pictures that it is given",
    )


def check_runner(runner: Runner, batch: Batch, records: Sequence[Record]) -> None:
    """Check the least a runner does: trainable losses, an evaluation that trains nothing.

    Args:
        runner: What to check. Its parameters get gradients.
        batch: What it is made for, images normalised, on the model's device.
        records: What `batch.indices` point to.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(runner).__name__
    expect_instance(runner, Runner, what)
    expect(isinstance(runner.model, nn.Module), f"{what}: model must be a torch.nn.Module")
    runner.model.train()
    losses = runner.losses(batch)
    expect("total_loss" in losses, f"{what} must give 'total_loss', which is what is minimised")
    for name, loss in losses.items():
        expect_tensor(loss, f"{what}: loss {name!r}")
        expect(loss.ndim == 0, f"{what}: loss {name!r} is not a scalar")
    losses["total_loss"].backward()
    expect(
        any(p.grad is not None and bool(p.grad.any()) for p in runner.model.parameters()),
        f"{what}: total_loss gives the model no gradient",
    )
    before = _weights(runner.model)
    results = runner.evaluate([batch], records)
    expect(
        all(type(value) is float for value in results.values()),
        f"{what}: evaluate must give plain floats, for they go into snapshots",
    )
    expect(
        "losses/eval.total_loss" in results,
        f"{what}: evaluate must give 'losses/eval.total_loss'; it gives {', '.join(results)}",
    )
    after = _weights(runner.model)
    expect(
        all(torch.equal(before[name], after[name]) for name in before),
        f"{what}: evaluate changes the model",
    )
    expect(runner.model.training, f"{what}: evaluate must put the model back into training mode")
    _check_pictures(runner, batch, what)


def _check_pictures(runner: Runner, batch: Batch, what: str) -> None:
    labels = {f.name: getattr(batch.labels, f.name)[:1] for f in fields(batch.labels)}
    conditions = None if batch.conditions is None else batch.conditions[:1]
    one = Batch(
        batch.images[:1],
        Labels(**labels),
        batch.to_network[:1],
        batch.indices[:1],
        conditions,
    )
    height, width = batch.images.shape[-2:]
    image = np.full((height, width, 3), 128, np.uint8)
    runner.model.eval()
    with torch.no_grad():
        pictures = runner.pictures(one, image)
    runner.model.train()
    expect((image == 128).all(), f"{what}: pictures draws on the image that it is given")
    for name, picture in pictures.items():
        expect(
            isinstance(picture, np.ndarray)
            and picture.dtype == np.uint8
            and picture.ndim == 3
            and picture.shape[2] == 3,
            f"{what}: picture {name!r} must be an array (H, W, 3) of uint8",
        )


def check_net_type(net_type: NetType, task: PoseTask) -> None:
    """Check that a net type describes itself and writes a plain config of known parts.

    Args:
        net_type: What to check.
        task: A task that it can do.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(net_type).__name__
    expect_instance(net_type, NetType, what)
    for name in ("stride", "parameters", "gflops"):
        value = getattr(net_type, name, None)
        expect(
            isinstance(value, (int, float)) and value > 0, f"{what} must declare {name}, above 0"
        )
    config = net_type.config(task)
    for key in ("net_type", "method", "model"):
        expect(key in config, f"{what}: its config must have the key {key!r}")
    expect(
        net_type.approach == config["method"],
        f"{what}: approach is {net_type.approach!r}, but its config says method "
        f"{config['method']!r}",
    )
    expect(
        json.loads(json.dumps(config)) == config,
        f"{what}: its config must hold only what YAML can: maps with string keys, lists, strings, "
        f"numbers, booleans and null",
    )
    model = config["model"]
    expect(
        "bodypart" in model.get("heads", {}), f"{what}: model.heads must have the head 'bodypart'"
    )
    blocks = {"model.backbone": model.get("backbone")}
    blocks |= {f"model.heads.{name}": head for name, head in model["heads"].items()}
    for key, block in blocks.items():
        expect(
            isinstance(block, Mapping) and isinstance(block.get("type"), str),
            f"{what}: {key} must be a block with a 'type'",
        )
    model.clear()
    expect(
        net_type.config(task)["model"],
        f"{what}: config must give a new dict each time, since its receiver changes it",
    )


def _optimizer() -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def _rates(scheduler: LRScheduler, steps: int, what: str) -> list[float]:
    """The learning rate of each of the next steps."""
    rates = []
    for _ in range(steps):
        rate = scheduler.optimizer.param_groups[0]["lr"]
        expect(
            isinstance(rate, float) and math.isfinite(rate) and rate >= 0,
            f"{what} sets the rate {rate!r}; it must be a finite float, not below 0",
        )
        expect(
            list(scheduler.get_last_lr()) == [rate],
            f"{what}: get_last_lr gives {scheduler.get_last_lr()}, the optimizer has {rate}",
        )
        rates.append(rate)
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
