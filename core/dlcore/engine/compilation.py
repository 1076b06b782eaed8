"""Compile a model's forward pass, or say why not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcore.engine.dry_run import try_step, untouched
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import TrainingError
from dlcore.interfaces import Batch
from dlcore.model import ModelOutputs, PoseModel


def compile_forward(runner: PoseTrainingRunner, batch: Batch) -> None:
    """Let the runner use a compiled forward pass, tried on one batch first.

    The model itself stays as it is, and so do the names of its weights. Only training steps use
    the compiled pass: evaluation would compile it once more. The number of images in a batch is
    left open, for the smaller batch at the end of an epoch. Where compiling fails, training goes on
    without it, and the reason is logged.
    """
    model = runner.model
    runner.forward = _Compiled(model)
    LOGGER.info("compiling the model; this may take minutes")
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


class _Compiled(nn.Module):
    """The compiled model, for any number of images."""

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self._compiled = torch.compile(model)

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> ModelOutputs:
        import torch._dynamo  # takes seconds, which only those wait for who compile

        for tensor in (images, conditions):
            if tensor is not None and len(tensor) > 1:  # torch compiles anew for 1 in any case
                torch._dynamo.maybe_mark_dynamic(tensor, 0)
        outputs: ModelOutputs = self._compiled(images, conditions)
        return outputs
