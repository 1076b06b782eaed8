"""The pose model: a backbone, perhaps a neck, and named heads with what belongs to each head.

Legend: B images, N individuals, K keypoints, h w output cells, H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from dlcore.interfaces import (
    Backbone,
    Criterion,
    Features,
    FeatureSpec,
    Head,
    Labels,
    Neck,
    Predictor,
    Target,
    TargetGenerator,
)

ModelOutputs = dict[str, dict[str, Tensor]]
"""Head name to output name to tensor."""

ModelTargets = dict[str, dict[str, Target]]
"""Head name to output name to target and weights."""


@dataclass(frozen=True)
class Loss:
    """A criterion and how much it counts."""

    criterion: Criterion
    weight: float = 1.0


@dataclass(frozen=True)
class HeadParts:
    """What is joined to a head by output name.

    Attributes:
        target_generator: Makes what the outputs should have been.
        losses: By output name.
        predictor: Decodes the outputs.
    """

    target_generator: TargetGenerator
    losses: Mapping[str, Loss]
    predictor: Predictor


class PoseModel(nn.Module):
    """Images to the outputs of each head, their losses and their predictions.

    The state dict holds `backbone.*`, `neck.*` and `heads.<name>.*` only.

    Args:
        backbone: Images to features.
        neck: Features to features, or None.
        heads: By name; the names matter: "bodypart" is mandatory for poses, "unique_bodypart" and
            "identity" are known by name.
        parts: What belongs to each head.

    Raises:
        ValueError: If a head and its parts do not fit together. The message begins with the dotted
            key below `model.` that is to blame, then a colon.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck | None,
        heads: Mapping[str, Head],
        parts: Mapping[str, HeadParts],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        if neck is not None:
            self.neck = neck
        self.heads = nn.ModuleDict(heads)
        self.parts = dict(parts)
        self.strides = {name: self._stride(name, head) for name, head in heads.items()}
        for name, head in heads.items():
            _check_joints(name, head, self.parts[name])

    @property
    def features(self) -> Features:
        """What the heads receive."""
        return self.neck.features if hasattr(self, "neck") else self.backbone.features

    def _stride(self, name: str, head: Head) -> float:
        stride = head_input(self.features, head, name).stride / head.upsampling
        return int(stride) if stride == int(stride) else stride

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> ModelOutputs:
        """Normalised images (B, 3, H, W) to outputs by head and name.

        Args:
            images: (B, 3, H, W).
            conditions: (B, K, 3) x, y, score in pixels of the images, for a backbone that takes
                them; others leave them aside.
        """
        if self.backbone.takes_conditions:
            features = self.backbone(images, conditions)
        else:
            features = self.backbone(images)
        if hasattr(self, "neck"):
            features = self.neck(features)
        return {name: head(features) for name, head in self.heads.items()}

    def targets(self, outputs: ModelOutputs, labels: Labels) -> ModelTargets:
        """What the outputs should have been."""
        return {
            name: parts.target_generator(self.strides[name], outputs[name], labels)
            for name, parts in self.parts.items()
        }

    def losses(self, outputs: ModelOutputs, targets: ModelTargets) -> dict[str, Tensor]:
        """Scalar losses by name.

        `<head>_<output>` for each criterion, `<head>_total_loss` for each head: the mean over its
        criteria of weight times loss, and `total_loss`: the mean over the heads.
        """
        losses: dict[str, Tensor] = {}
        totals = []
        for name, parts in self.parts.items():
            weighted = []
            for output_name, loss in parts.losses.items():
                target = targets[name][output_name]
                value = loss.criterion(outputs[name][output_name], target.target, target.weights)
                losses[f"{name}_{output_name}"] = value
                weighted.append(loss.weight * value)
            total = sum(weighted[1:], weighted[0]) / len(weighted)
            losses[f"{name}_total_loss"] = total
            totals.append(total)
        losses["total_loss"] = sum(totals[1:], totals[0]) / len(totals)
        return losses

    def predict(self, outputs: ModelOutputs) -> dict[str, dict[str, Tensor]]:
        """Decoded outputs by head: `poses` (B, N, K, 3 or more) in pixels of the images."""
        return {
            name: parts.predictor(self.strides[name], outputs[name])
            for name, parts in self.parts.items()
        }


def head_input(features: Features, head: Head | type[Head], name: str) -> FeatureSpec:
    """The feature map whose stride counts for a head: the only one, or the finest.

    Raises:
        ValueError: If the head takes one map and there are several, or tokens.
    """
    if isinstance(features, FeatureSpec):
        if features.tokens is not None and not head.takes_tokens:
            raise ValueError(
                f"heads.{name}: takes a feature map, but model.neck gives tokens; "
                f"choose a head that takes them, or no neck"
            )
        return features
    if len(features) > 1 and not head.takes_several_maps:
        raise ValueError(
            f"heads.{name}: takes one feature map, but is given {len(features)} "
            f"(strides {', '.join(str(spec.stride) for spec in features)}); "
            f"choose one in model.backbone or add a model.neck that joins them"
        )
    return features[0]


def _check_joints(name: str, head: Head, parts: HeadParts) -> None:
    outputs = set(head.output_names)
    given = ", ".join(head.output_names)
    targets = set(parts.target_generator.output_names)
    missing = targets - outputs
    if missing:
        raise ValueError(
            f"heads.{name}.target_generator: makes a target for {_some(missing)}, "
            f"but the head gives {given}"
        )
    missing = set(parts.predictor.output_names) - outputs
    if missing:
        raise ValueError(
            f"heads.{name}.predictor: reads {_some(missing)}, but the head gives {given}"
        )
    missing = set(parts.losses) - outputs
    if missing:
        raise ValueError(
            f"heads.{name}.criterion: has a loss for {_some(missing)}, but the head gives {given}"
        )
    missing = set(parts.losses) - targets
    if missing:
        raise ValueError(
            f"heads.{name}.target_generator: makes no target for {_some(missing)}, "
            f"which has a criterion"
        )
    missing = outputs - set(parts.losses)
    if missing:
        raise ValueError(
            f"heads.{name}.criterion: has no loss for {_some(missing)}; add one, "
            f"with weight 0 if it is not to be trained"
        )


def _some(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
