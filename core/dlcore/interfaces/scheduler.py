"""Schedulers: learning rates over time."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch.optim.lr_scheduler import LRScheduler


class Scheduler(LRScheduler):
    """A learning-rate schedule.

    A subclass takes `optimizer` as its only positional parameter and what YAML may set as
    keyword-only ones. Every class of `torch.optim.lr_scheduler` can be used without registration.

    Attributes:
        interval: Whether `step` is called after each epoch or after each optimizer step.
    """

    interval: ClassVar[Literal["epoch", "step"]] = "epoch"
