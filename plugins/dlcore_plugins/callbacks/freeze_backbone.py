"""Training the heads first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from dlcore.interfaces import Callback, EpochStart, RunStart, TrainingRun

LOGGER = logging.getLogger("dlcore")


class FreezeBackbone(Callback):
    """Trains the heads alone at first, then the whole model.

    While it is frozen the backbone keeps its weights and its batch-norm statistics, and no
    gradients are computed for it, so that steps are faster.

    Args:
        epochs: The backbone is trained from the epoch after this one on.
        modules: Names of the parts of the model that are frozen.
        freeze_statistics: Whether batch-norm layers keep their means and variances too.
    """

    order = -100

    def __init__(
        self,
        *,
        epochs: Annotated[int, Field(ge=1)],
        modules: Sequence[str] = ("backbone",),
        freeze_statistics: bool = True,
    ) -> None:
        self._epochs = epochs
        self._names = list(modules)
        self._freeze_statistics = freeze_statistics
        self._frozen: list[nn.Parameter] = []

    def on_run_start(self, run: TrainingRun, event: RunStart) -> None:
        """Freeze, unless the time is over.

        Raises:
            ValueError: If the model has no such part, or nothing would be left to train.
        """
        for name in self._names:
            if not _find(run.model, name):
                parts = ", ".join(name for name, _ in run.model.named_children())
                raise ValueError(f"modules: the model has no part {name!r}; it has {parts}")
        if event.epoch >= self._epochs:
            return
        self._frozen = [
            parameter
            for name in self._names
            for module in _find(run.model, name)
            for parameter in module.parameters()
            if parameter.requires_grad
        ]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in run.model.parameters()):
            self._unfreeze()
            raise ValueError("modules: nothing would be left to train")
        LOGGER.info("%s: not trained until epoch %d", ", ".join(self._names), self._epochs)
        self._still(run.model)

    def on_epoch_start(self, run: TrainingRun, event: EpochStart) -> None:
        """Keep the statistics, or unfreeze."""
        if event.epoch <= self._epochs:
            self._still(run.model)
        elif self._frozen:
            self._unfreeze()
            LOGGER.info("%s: trained from now on", ", ".join(self._names))

    def _still(self, model: nn.Module) -> None:
        """Batch-norm layers in evaluation mode: the trainer puts all into training mode."""
        if not self._freeze_statistics:
            return
        for name in self._names:
            for module in _find(model, name):
                for layer in module.modules():
                    if isinstance(layer, _NormBase):
                        layer.eval()

    def _unfreeze(self) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen = []


def _find(model: nn.Module, name: str) -> list[nn.Module]:
    """The part of that name: of the model, or of the one model that it consists of."""
    inner = [child for _, child in model.named_children()]
    for place in (model, *(inner if len(inner) == 1 else ())):
        found = dict(place.named_modules()).get(name)
        if found is not None:
            return [found]
    return []
