"""First weights of a SimCC head."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcore.interfaces import WeightInitializer


class Rtmpose(WeightInitializer):
    """Small random convolutions and linear layers, biases of 0, neutral norms.

    The standard deviation is 0.001 in convolutions and 0.01 in linear layers. Parameters that
    belong to no such layer, such as those of the attention, stay as they are.

    DeepLabCut's files ask for this (`weight_init: RTMPose`), but DeepLabCut never does it.
    Snapshots are not affected: this is only about the start of a training.
    """

    def __call__(self, module: nn.Module) -> None:
        """Set the parameters of `module` in place."""
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.normal_(part.weight, std=0.001 if isinstance(part, nn.Conv2d) else 0.01)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
            elif isinstance(part, _BatchNorm) and part.affine:
                nn.init.ones_(part.weight)
                nn.init.zeros_(part.bias)
