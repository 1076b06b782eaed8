"""Which layers of a detector's backbone stay as they are."""

from __future__ import annotations

from torch import nn
from torchvision.ops import FrozenBatchNorm2d

TRAINED_STAGES = 3
"""Of a backbone that comes with trained weights, from the last one, as torchvision does it."""


def fix_norms(module: nn.Module) -> None:
    """Replace batch-norm layers by fixed ones.

    torchvision builds some networks so when they come with weights, and hence DeepLabCut's
    snapshots of them hold fixed ones.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, eps=child.eps))
        else:
            fix_norms(child)


def freeze_stages(body: nn.Module, trained: int | None, *, from_scratch: bool) -> None:
    """Train only the last stages of a backbone.

    Args:
        body: A ResNet or a MobileNet, as torchvision's detectors hold them.
        trained: How many stages to train; None for all from scratch, and three otherwise.
        from_scratch: Whether the weights are random.

    Raises:
        ValueError: If there are not so many stages.
    """
    stages = _stages(body)
    if trained is None:
        trained = len(stages) if from_scratch else TRAINED_STAGES
    if not 0 <= trained <= len(stages):
        raise ValueError(
            f"trainable_backbone_layers must be from 0 to {len(stages)} here, got {trained}"
        )
    for stage in stages[: len(stages) - trained]:
        for module in stage:
            module.requires_grad_(False)


def _stages(body: nn.Module) -> list[list[nn.Module]]:
    """Children grouped so that each group but the last begins where the maps get smaller.

    The last child of a MobileNet, a convolution that widens the map, is a stage for itself.
    """
    children = dict(body.named_children())
    if "layer1" in children:
        stem = [child for name, child in children.items() if not name.startswith("layer")]
        return [stem, *([children[name]] for name in children if name.startswith("layer"))]
    blocks = list(children.values())
    starts = [i for i, block in enumerate(blocks) if i == 0 or _strided(block)]
    starts.append(len(blocks) - 1)
    return [blocks[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _strided(block: nn.Module) -> bool:
    return any(
        isinstance(module, nn.Conv2d) and module.stride != (1, 1) for module in block.modules()
    )
