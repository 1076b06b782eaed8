"""From maps to places: one pose per image, and maps of identity.

Legend: B images, K keypoints, N individuals, h w output cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcore.interfaces import Outputs, PoseTask, Predictor


class HeatmapPredictor(Predictor):
    """The best cell of each map, refined by the offset that the head gives for that cell.

    Every keypoint is given a place, however low its score: it is for one individual per image (or
    per crop), or for keypoints that are unique in the image.

    Args:
        task: Not needed; a map is a keypoint.
        apply_sigmoid: Whether the maps are logits. Scores are in [0, 1] then.
        clip_scores: Whether to clip scores to [0, 1].
        location_refinement: Whether to add the offsets of the output "locref".
        locref_std: Pixels per unit of "locref"; must be that of the target generator.
    """

    def __init__(
        self,
        task: PoseTask,
        *,
        apply_sigmoid: bool = True,
        clip_scores: bool = False,
        location_refinement: bool = True,
        locref_std: float = 7.2801,
    ) -> None:
        self.apply_sigmoid = apply_sigmoid
        self.clip_scores = clip_scores
        self.location_refinement = location_refinement
        self.locref_std = locref_std
        self.output_names = ("heatmap", "locref") if location_refinement else ("heatmap",)

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """`poses` (B, 1, K, 3) x, y, score in pixels of the network's input."""
        heatmaps = outputs["heatmap"]
        if self.apply_sigmoid:
            heatmaps = heatmaps.sigmoid()
        scores, cells = heatmaps.flatten(2).max(dim=2)
        width = heatmaps.shape[3]
        rows = cells // width
        places = (torch.stack((cells - rows * width, rows), dim=2) + 0.5) * stride
        if self.location_refinement:
            offsets = outputs["locref"].unflatten(1, (-1, 2)).flatten(3)  # (B, K, 2, h * w)
            at_best = cells[:, :, None, None].expand(-1, -1, 2, 1)
            places = places + offsets.gather(3, at_best).squeeze(3) * self.locref_std
        if self.clip_scores:
            scores = scores.clamp(0, 1)
        return {"poses": torch.cat((places, scores.unsqueeze(2)), dim=2).unsqueeze(1)}


class IdentityPredictor(Predictor):
    """Maps of who is where, enlarged to pixels of the network's input.

    Args:
        task: Not needed; a map is an individual.
        apply_sigmoid: Whether the maps are logits.
    """

    output_names = ("heatmap",)

    def __init__(self, task: PoseTask, *, apply_sigmoid: bool = True) -> None:
        self.apply_sigmoid = apply_sigmoid

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """`heatmap` (B, h * stride, w * stride, N).

        It may be a little larger than the image, because cells may reach beyond its edge. Pixel
        (x, y) of the network's input is row y, column x.
        """
        maps = outputs["heatmap"]
        size = [_enlarged(side, stride) for side in maps.shape[2:]]
        maps = F.interpolate(maps, size, mode="bilinear", antialias=True)
        if self.apply_sigmoid:
            maps = maps.sigmoid()
        return {"heatmap": maps.permute(0, 2, 3, 1)}


def _enlarged(side: int, stride: float) -> int:
    # int() of a size makes it a constant where a network is exported for images of any size
    return side * int(stride) if stride == int(stride) else int(side * stride)
