"""Compile a model's forward pass, or say why not."""

from __future__ import annotations

import torch

from dlcore.engine.dry_run import try_step, untouched
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import TrainingError
from dlcore.interfaces import Batch


def compile_forward(runner: PoseTrainingRunner, batch: Batch) -> None:
    """Let the runner use a compiled forward pass, tried on one batch first.

    The model itself stays as it is, and so do the names of its weights. Where compiling fails,
    training goes on without it, and the reason is logged.
    """
    model = runner.model
    runner.forward = torch.compile(model)
    try:
        with untouched(model, batch.images.device):
            seconds = try_step(runner, batch)
    except TrainingError:
        raise
    except Exception as error:  # noqa: BLE001  a compiler may raise anything
        runner.forward = model
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        LOGGER.warning("runner.compile: the model cannot be compiled and runs as it is: %s", reason)
    else:
        LOGGER.info("compiled the model in %.0f s", seconds)
