"""What all detectors of torchvision have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import get_model_weights
from torchvision.ops import FrozenBatchNorm2d, nms

from dlcore.interfaces import Detector
from dlcore_plugins.torchvision_detectors.options import CocoClass

ANIMAL = 1
"""The class of every individual; 0 is the background."""

SCORE_THRESHOLD = 0.01
MOST_OVERLAP = 0.5
"""Of two boxes that are called different classes and overlap more, the better one is kept."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def num_classes(classes: Sequence[CocoClass] | None) -> int:
    """How many classes a network tells apart: background and animal, or all of COCO."""
    return 2 if classes is None else len(_coco_names())


class TorchvisionDetector(Detector):
    """Wraps a detection model of torchvision.

    It knows background and animal, or, with `classes`, what weights for COCO know.

    The images that come are normalised already, and torchvision normalises them once more. It is
    so in DeepLabCut, whose weights expect it. Weights for COCO that are used as they are expect
    images that are normalised once: with `classes`, they are.

    Args:
        model: The network, an attribute `model` of this one, as in DeepLabCut's snapshots.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
        classes: Keep the 91 classes of COCO and report only these, as in [cat, dog]. With
            `pretrained: true` it needs no training. Every individual that it is trained on counts
            as the first of them.
        max_detections: The most detections in an image, the best ones.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.freeze_bn_stats = freeze_bn_stats
        self.fixed_norms = freeze_bn_stats or any(
            isinstance(module, FrozenBatchNorm2d) for module in model.modules()
        )
        self.max_detections = max_detections
        self.reported: tuple[int, ...] = (ANIMAL,)
        if classes is not None:
            if not classes:
                raise ValueError("classes must name at least one class of COCO, got []")
            self.reported = tuple(_coco_names().index(name) for name in classes)
            _normalise_once(model)
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
            return {}, [self._animals(found) for found in self.model(list(images))]
        if targets is None:
            raise ValueError("a detector needs targets while it is training")
        return self.model(list(images), [self._target(target) for target in targets]), []

    def _target(self, target: dict[str, Tensor]) -> dict[str, Tensor]:
        """A target without boxes of no width or height, which torchvision refuses."""
        boxes = target["boxes"].float()
        sound = boxes.isfinite().all(dim=1) & (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        labels = torch.full_like(target["labels"][sound], self.reported[0])
        return {"boxes": boxes[sound], "labels": labels}

    def _animals(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is to be reported, all as animals: networks also give other classes, and 0."""
        labels = found["labels"]
        kept = torch.isin(labels, torch.tensor(self.reported, device=labels.device)).nonzero()[:, 0]
        if len(self.reported) > 1:  # torchvision looks for doubles within a class only
            kept = kept[
                nms(found["boxes"][kept].float(), found["scores"][kept].float(), MOST_OVERLAP)
            ]
        kept = kept[: self.max_detections]
        animals = {name: values[kept] for name, values in found.items()}
        return animals | {"labels": torch.full_like(labels[kept], ANIMAL)}


def _coco_names() -> list[str]:
    """The names of the classes of COCO by their numbers; the same for all of torchvision's."""
    names: list[str] = get_model_weights("fasterrcnn_resnet50_fpn")["COCO_V1"].meta["categories"]
    return names


def _normalise_once(model: Any) -> None:
    """Let a network of torchvision undo the normalisation of the images that come."""
    transform = model.transform
    means, stds = transform.image_mean, transform.image_std
    transform.image_mean = [
        (mean - own) / own_std
        for mean, own, own_std in zip(means, IMAGENET_MEAN, IMAGENET_STD, strict=True)
    ]
    transform.image_std = [std / own for std, own in zip(stds, IMAGENET_STD, strict=True)]
