"""A schedule that is written down: these learning rates from these epochs on."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from dlcore.interfaces import Scheduler


class LRListScheduler(Scheduler):
    """Sets the learning rates of a list after the epochs of a list.

    After epoch `milestones[i]`, the rates are `lr_list[i]`; before the first milestone they are
    those of the optimizer. `milestones: [90, 120]` with `lr_list: [[1e-4], [1e-5]]` trains epochs
    91 to 120 with 1e-4 and the rest with 1e-5.

    Args:
        optimizer: Whose rates are set.
        milestones: Epochs after which the rates change; 0 is before the first epoch.
        lr_list: For each milestone the learning rates, one for each parameter group (runs built
            from a config have one group). A plain number stands for all groups.

    Raises:
        ValueError: If the two lists do not fit each other or the optimizer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        milestones: Sequence[int],
        lr_list: Sequence[float | Sequence[float]],
    ) -> None:
        groups = len(optimizer.param_groups)
        if len(milestones) != len(lr_list):
            raise ValueError(
                f"milestones has {len(milestones)} entries and lr_list has {len(lr_list)}: "
                f"each milestone needs its learning rates"
            )
        if len(set(milestones)) != len(milestones) or any(m < 0 for m in milestones):
            raise ValueError(f"milestones must be different epochs from 0 on, got {milestones!r}")
        rates = [_for_each_group(entry, groups) for entry in lr_list]
        if any(len(entry) != groups for entry in rates):
            raise ValueError(
                f"each entry of lr_list needs one learning rate for each of the {groups} parameter "
                f"group(s), got {lr_list!r}"
            )
        if any(rate < 0 for entry in rates for rate in entry):
            raise ValueError(f"lr_list must not hold negative numbers, got {lr_list!r}")
        self.milestones = list(milestones)
        self.lr_list = rates
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the epoch after `last_epoch` epochs."""
        if self.last_epoch in self.milestones:
            return [*self.lr_list[self.milestones.index(self.last_epoch)]]
        return [group["lr"] for group in self.optimizer.param_groups]


def _for_each_group(entry: float | Sequence[float], groups: int) -> list[float]:
    if isinstance(entry, (int, float)):
        return [float(entry)] * groups
    return [float(rate) for rate in entry]
