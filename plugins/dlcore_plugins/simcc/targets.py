"""What the rows of bins of a SimCC head should have been.

Legend: B images, K keypoints.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from dlcore import ComponentError
from dlcore.interfaces import Labels, Outputs, PoseTask, Target, TargetGenerator
from dlcore_plugins.simcc.options import Sigma, Size, pair

_REACH = 3  # standard deviations; a Gaussian whose middle is farther outside does not count


class SimCCGenerator(TargetGenerator):
    """Targets for the outputs "x" and "y": a row of bins with a peak at the keypoint.

    A keypoint that is not labelled, or so far outside the image that no bin is near, counts
    nowhere. There can be one individual per image, as in the crops of a top-down model.

    Args:
        task: Not needed; the labels say how many keypoints there are.
        input_size: (width, height) in pixels of the images that the network receives.
        smoothing_type: "gaussian" for a Gaussian around the nearest bin, "standard" for that bin
            alone.
        sigma: Standard deviation of the Gaussian in bins, for both axes or for x and y.
        simcc_split_ratio: Bins per pixel; that of the head and the predictor.
        label_smooth_weight: For "standard": how much is taken from the nearest bin and given to
            the others in equal parts.
        normalize: Whether a Gaussian has the area 1 instead of the height 1.
        label_keypoint_key: "keypoints", or "keypoints_unique" for those that exist once per image.
    """

    output_names = ("x", "y")

    def __init__(
        self,
        task: PoseTask,
        *,
        input_size: Size,
        smoothing_type: Literal["gaussian", "standard"] = "gaussian",
        sigma: Sigma = 6.0,
        simcc_split_ratio: PositiveFloat = 2.0,
        label_smooth_weight: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        normalize: bool = True,
        label_keypoint_key: Literal["keypoints", "keypoints_unique"] = "keypoints",
    ) -> None:
        self.bins = [round(side * simcc_split_ratio) for side in input_size]
        self.sigma = pair(sigma)
        self.smooth = smoothing_type == "gaussian"
        self.simcc_split_ratio = simcc_split_ratio
        self.label_smooth_weight = label_smooth_weight
        self.normalize = normalize
        self.unique = label_keypoint_key == "keypoints_unique"

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets (B, K, bins) and weights (B, K, 1) for "x" and "y"."""
        keypoints = self._keypoints(labels)
        self._check_sizes(outputs, keypoints.shape[1])
        labelled = keypoints[..., 2] > 0
        places = keypoints[..., :2].where(labelled.unsqueeze(2), 0.0)  # the others may be NaN
        middles = (places * self.simcc_split_ratio).round()
        counts = labelled & self._in_reach(middles)
        weights = counts.float().unsqueeze(2)
        return {
            name: Target(self._rows(middles[..., axis, None], axis) * weights, weights)
            for axis, name in enumerate(self.output_names)
        }

    def _keypoints(self, labels: Labels) -> Tensor:
        """(B, K, 3) of the only individual."""
        if self.unique:
            return labels.unique_keypoints.float()
        individuals = labels.keypoints.shape[1]
        if individuals != 1:
            raise ComponentError(
                f"SimCCGenerator makes targets for one individual per image, but the labels have "
                f"room for {individuals}; crop the individuals with method td"
            )
        padding = labels.individual_ids < 0
        return labels.keypoints[:, 0].float() * ~padding.unsqueeze(2)

    def _check_sizes(self, outputs: Outputs, num_keypoints: int) -> None:
        for name, bins in zip(self.output_names, self.bins, strict=True):
            maps, found = outputs[name].shape[1:]
            if found != bins:
                raise ComponentError(
                    f"the head gives {found} bins for {name!r}, but there are targets for {bins}; "
                    f"give head and target_generator the same input_size and simcc_split_ratio"
                )
            if maps != num_keypoints:
                raise ComponentError(
                    f"the head gives bins for {maps} keypoints, but {num_keypoints} are labelled; "
                    f"correct out_channels of the head"
                )

    def _in_reach(self, middles: Tensor) -> Tensor:
        """(B, K), whether there are bins near a keypoint along both axes."""
        reach = [_REACH * sigma if self.smooth else 0 for sigma in self.sigma]
        near = torch.ones_like(middles[..., 0], dtype=torch.bool)
        for axis, bins in enumerate(self.bins):
            middle = middles[..., axis]
            near &= (middle - reach[axis] < bins) & (middle + reach[axis] + self.smooth >= 0)
        return near

    def _rows(self, middles: Tensor, axis: int) -> Tensor:
        """(B, K, bins) from the bins (B, K, 1) that are nearest to the keypoints."""
        bins, sigma = self.bins[axis], self.sigma[axis]
        away = torch.arange(bins, device=middles.device) - middles
        if self.smooth:
            rows = (away.square() / (-2 * sigma**2)).exp()
            return rows / (sigma * math.sqrt(2 * math.pi)) if self.normalize else rows
        rest = self.label_smooth_weight / max(1, bins - 1)
        return torch.full_like(away, rest).masked_fill(away == 0, 1 - self.label_smooth_weight)
