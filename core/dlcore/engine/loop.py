"""The training step, to be read in one sitting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dlcore.engine.groups import Groups
from dlcore.errors import TrainingError
from dlcore.interfaces import Batch, Runner

EACH_BATCH = Groups()

CHECK_EVERY_ON_GPU = 50
"""Steps between looks at the losses on a GPU: each look waits for the device."""


@dataclass
class EpochState:
    """How far an epoch has come; what it needs to go on from the middle.

    Attributes:
        step: Steps done.
        sums: Loss sums by name, on the device.
        first_bad: (1,) the first step whose total loss was not finite, -1 for none, on the device.
        indices: Which records each step saw since the losses were last looked at.
        losses: The losses of each of these steps by name, on the device.
        updated: Whether the last step changed the weights.
    """

    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    first_bad: Tensor | None = None
    indices: dict[int, Tensor] = field(default_factory=dict)
    losses: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    updated: bool = True

    def means(self) -> dict[str, float]:
        """Mean losses of the steps done."""
        return {name: float(total) / max(self.step, 1) for name, total in self.sums.items()}


class NonFiniteLossError(TrainingError):
    """A loss became NaN or infinite.

    Attributes:
        step: The step of the epoch, from 1.
        losses: The losses of that step by name.
        indices: Positions of the images of that step in the training split.
    """

    def __init__(self, step: int, losses: dict[str, float], indices: list[int]) -> None:
        self.step = step
        self.losses = losses
        self.indices = indices
        super().__init__(f"the loss is not finite at step {step}")


def train_one_epoch(
    runner: Runner,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    state: EpochState,
    after_step: Callable[[EpochState, dict[str, Tensor]], None],
    groups: Groups = EACH_BATCH,
    max_norm: float | None = None,
) -> None:
    """Train on every batch once.

    Args:
        runner: Gives the losses of a batch; its model is in training mode.
        batches: On the device, normalised.
        optimizer: Holds the model's parameters.
        scaler: Scales the loss where the precision needs it.
        state: Where to count; pass a used one to go on in the middle of an epoch.
        after_step: Called after each step, with its losses by name, on the device.
        groups: Which batches make one step of the optimizer.
        max_norm: Gradients of a larger norm are scaled down to it; None leaves them.

    Raises:
        NonFiniteLossError: If the total loss is NaN or infinite.
    """
    for batch in batches:
        losses = runner.losses(batch)

        if groups.begins(state.step):
            optimizer.zero_grad(set_to_none=True)
        share = groups.share(state.step, len(batch.images))
        scaler.scale(losses["total_loss"] * share).backward()
        state.updated = groups.ends(state.step)
        if state.updated:
            update(optimizer, scaler, max_norm)

        losses = {name: value.detach() for name, value in losses.items()}
        _record(state, losses, batch.indices)
        after_step(state, losses)
    _look_at_losses(state)


def update(
    optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, max_norm: float | None
) -> None:
    """Change the weights by their gradients, of at most a norm."""
    if max_norm is not None:
        scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_norm)
    scaler.step(optimizer)
    scaler.update()


def _record(state: EpochState, losses: dict[str, Tensor], indices: Tensor) -> None:
    total = losses["total_loss"]
    for name, value in losses.items():
        state.sums[name] = state.sums[name] + value if name in state.sums else value.clone()
    if state.first_bad is None:
        state.first_bad = torch.full((1,), -1, device=total.device)
    bad_now = ~torch.isfinite(total) & (state.first_bad < 0)
    state.step += 1
    state.first_bad = torch.where(bad_now, state.step, state.first_bad)
    state.indices[state.step], state.losses[state.step] = indices, losses
    if total.device.type == "cpu" or state.step % CHECK_EVERY_ON_GPU == 0:
        _look_at_losses(state)


def _look_at_losses(state: EpochState) -> None:
    step = int(state.first_bad) if state.first_bad is not None else -1
    if step >= 0:
        values = {name: float(value) for name, value in state.losses.get(step, {}).items()}
        indices = state.indices.get(step)
        raise NonFiniteLossError(step, values, indices.tolist() if indices is not None else [])
    state.indices.clear()
    state.losses.clear()
