"""What all detectors of torchvision have in common."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcore.interfaces import Detector

NUM_CLASSES = 2
ANIMAL = 1
"""The class of every individual; 0 is the background."""

SCORE_THRESHOLD = 0.01


class TorchvisionDetector(Detector):
    """Wraps a detection model of torchvision that knows background and animal.

    The images that come are normalised already, and torchvision normalises them once more. It is
    so in DeepLabCut, whose weights expect it.

    Args:
        model: The network, an attribute `model` of this one, as in DeepLabCut's snapshots.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
    """

    def __init__(self, model: nn.Module, *, freeze_bn_stats: bool, freeze_bn_weights: bool) -> None:
        super().__init__()
        self.model = model
        self.freeze_bn_stats = freeze_bn_stats
        if freeze_bn_weights:
            for norm in self.batch_norms():
                for parameter in norm.parameters():
                    parameter.requires_grad_(False)
        self.train()

    def batch_norms(self) -> list[nn.Module]:
        """The batch-norm layers that can learn."""
        return [module for module in self.modules() if isinstance(module, _BatchNorm)]

    def train(self, mode: bool = True) -> TorchvisionDetector:
        """Switch between training and evaluation, keeping frozen batch-norm layers frozen."""
        super().train(mode)
        if self.freeze_bn_stats:
            for norm in self.batch_norms():
                norm.eval()
        return self

    def forward(
        self, images: Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
        """Losses while training, detections of animals while evaluating; see `Detector`."""
        if not self.training:
            return {}, [_animals(found) for found in self.model(list(images))]
        if targets is None:
            raise ValueError("a detector needs targets while it is training")
        return self.model(list(images), [_with_area(target) for target in targets]), []


def _with_area(target: dict[str, Tensor]) -> dict[str, Tensor]:
    """A target without boxes of no width or height, which torchvision refuses."""
    boxes = target["boxes"].float()
    sound = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return {"boxes": boxes[sound], "labels": target["labels"][sound]}


def _animals(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Only the animals: one-stage detectors may give the class 0 too, which is nothing."""
    kept = found["labels"] == ANIMAL
    return {name: values[kept] for name, values in found.items()}
