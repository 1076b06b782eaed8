"""From rows of bins to places.

Legend: B images, K keypoints.
"""

from __future__ import annotations

import torch
from pydantic import PositiveFloat
from torch import Tensor

from dlcore.interfaces import Outputs, PoseTask, Predictor
from dlcore_plugins.simcc.options import Sigma, pair


class SimCCPredictor(Predictor):
    """The best bin along x and the best along y, for one individual per image.

    The score is the smaller of the two values. With softmax it is nearly 1 for any clear peak,
    because the logits are multiplied by `sigma * decode_beta` first. Where the score says nothing,
    because all bins are alike, the place is one bin outside the image.

    Args:
        task: Not needed; a row is a keypoint.
        simcc_split_ratio: Bins per pixel; that of the head.
        apply_softmax: Whether to turn the values into probabilities.
        normalize_outputs: Whether to clip the values to [0, 1], rows with larger ones being
            divided by their largest, instead of multiplying them.
        sigma: Standard deviation in bins of what the head was trained with, for both axes or for
            x and y.
        decode_beta: Factor of the values, together with `sigma`.
    """

    output_names = ("x", "y")

    def __init__(
        self,
        task: PoseTask,
        *,
        simcc_split_ratio: PositiveFloat = 2.0,
        apply_softmax: bool = True,
        normalize_outputs: bool = False,
        sigma: Sigma = 6.0,
        decode_beta: PositiveFloat = 150.0,
    ) -> None:
        self.simcc_split_ratio = simcc_split_ratio
        self.apply_softmax = apply_softmax
        self.normalize_outputs = normalize_outputs
        self.factors = [sigma * decode_beta for sigma in pair(sigma)]

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """`poses` (B, 1, K, 3) x, y, score in pixels of the network's input."""
        best = [
            self._values(outputs[name], factor).max(dim=2)
            for name, factor in zip(self.output_names, self.factors, strict=True)
        ]
        scores = torch.minimum(best[0].values, best[1].values)
        places = torch.stack([axis.indices for axis in best], dim=2)
        flat = 1 / outputs["x"].shape[2] if self.apply_softmax else 0.0
        places = places.masked_fill((scores <= flat).unsqueeze(2), -1)
        places = places / self.simcc_split_ratio
        return {"poses": torch.cat((places, scores.unsqueeze(2)), dim=2).unsqueeze(1)}

    def _values(self, rows: Tensor, factor: float) -> Tensor:
        if self.normalize_outputs:
            rows = rows.clamp(min=0)
            rows = rows / rows.amax(dim=2, keepdim=True).clamp(min=1)
        else:
            rows = rows * factor
        return rows.softmax(dim=2) if self.apply_softmax else rows
