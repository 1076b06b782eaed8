"""From centres and offsets to poses.

Legend: B images, N individuals, K keypoints, P candidates, h w output cells.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from dlcore.interfaces import Outputs, PoseTask, Predictor

_PEAK_WINDOW = 5  # cells along a side in which only the highest one counts


class DEKRPredictor(Predictor):
    """The best centres, each with its keypoints; then poses that lie on better ones are removed.

    As many poses come out as individuals are asked for, those that were removed or not found with
    -1 everywhere. With `apply_pose_nms` those that stay come first, from the worst to the best
    centre; without it from the best to the worst.

    Args:
        task: Gives the number of individuals.
        num_animals: How many individuals to look for; null for as many as the task has.
        detection_threshold: Centres that score less are no individuals; null to take all.
        apply_sigmoid: Whether the maps are logits. Scores are in [0, 1] then.
        clip_scores: Whether to clip scores to [0, 1].
        use_heatmap: Whether to move keypoints to the nearest peak of their own map. The map's score
            is then 0 for a keypoint that is on no peak.
        keypoint_score_type: "center" for the score of the individual's centre, "heatmap" for that
            of the keypoint's map at its place, "combined" for the product.
        max_absorb_distance: How far `use_heatmap` moves a keypoint at most, in cells.
        nms_threshold: How close a keypoint must be to that of a better pose to count as the same
            one, as a fraction of the diagonal of the pose.
        apply_pose_nms: Whether to remove poses that have keypoints of better ones.
        nms_keypoint_fraction: A pose is removed if more than this fraction of its keypoints are
            those of a better pose that stays. Null for the rule of DeepLabCut, by which a single
            one is enough, be it of a pose that is itself removed: animals that touch are lost.

    Raises:
        ValueError: If more animals are asked for than the task has individuals.
    """

    output_names = ("heatmap", "offset")

    def __init__(
        self,
        task: PoseTask,
        *,
        num_animals: PositiveInt | None = None,
        detection_threshold: float | None = None,
        apply_sigmoid: bool = True,
        clip_scores: bool = False,
        use_heatmap: bool = True,
        keypoint_score_type: Literal["combined", "center", "heatmap"] = "combined",
        max_absorb_distance: NonNegativeFloat = 75,
        nms_threshold: NonNegativeFloat = 0.05,
        apply_pose_nms: bool = True,
        nms_keypoint_fraction: NonNegativeFloat | None = None,
    ) -> None:
        self.num_animals = task.num_individuals if num_animals is None else num_animals
        if self.num_animals > task.num_individuals:
            raise ValueError(
                f"num_animals is {num_animals}, but there are {task.num_individuals} individuals; "
                f"name more of them in metadata.individuals"
            )
        self.detection_threshold = detection_threshold
        self.apply_sigmoid = apply_sigmoid
        self.clip_scores = clip_scores
        self.use_heatmap = use_heatmap
        self.keypoint_score_type = keypoint_score_type
        self.max_absorb_distance = max_absorb_distance
        self.nms_threshold = nms_threshold
        self.apply_pose_nms = apply_pose_nms
        self.nms_keypoint_fraction = nms_keypoint_fraction

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """`poses` (B, N, K, 3) x, y, score in pixels of the network's input."""
        heatmaps = outputs["heatmap"]
        if self.apply_sigmoid:
            heatmaps = heatmaps.sigmoid()
        centres, cells = _peaks(heatmaps[:, -1]).flatten(1).topk(self.num_animals)  # (B, N)
        offsets = outputs["offset"].flatten(2)
        at_centre = cells.unsqueeze(1).expand(-1, offsets.shape[1], -1)
        offsets = offsets.gather(2, at_centre).unflatten(1, (-1, 2))  # (B, K, 2, N)
        places = _places(cells, heatmaps).unsqueeze(2) - offsets.permute(0, 3, 1, 2)
        keypoint_maps = heatmaps[:, :-1]
        if self.use_heatmap:
            keypoint_maps = _peaks(keypoint_maps)
            places = self._move_to_peaks(places, keypoint_maps)
        scores = self._scores(places, centres, keypoint_maps).unsqueeze(3)
        poses = torch.cat((places * stride + stride / 2, scores), dim=3)
        found = torch.ones_like(centres, dtype=torch.bool)
        if self.detection_threshold is not None:
            found = centres >= self.detection_threshold
        if self.apply_pose_nms:
            found = found & self._without_doubles(poses[..., :2], found)
            order = _kept_backwards(found)
            poses = poses.gather(1, order[:, :, None, None].expand_as(poses))
            found = found.gather(1, order)
        return {"poses": poses.where(found[:, :, None, None], -1.0)}

    def _move_to_peaks(self, places: Tensor, heatmaps: Tensor) -> Tensor:
        """Places (B, N, K, 2) in cells, on peaks of maps (B, K, h, w) where one is close."""
        peaks = _places(
            heatmaps.flatten(2).topk(self.num_animals).indices, heatmaps
        )  # (B, K, P, 2)
        distances = torch.linalg.vector_norm(places.unsqueeze(3) - peaks.unsqueeze(1), dim=4)
        nearest, which = distances.min(dim=3)  # (B, N, K)
        chosen = which.transpose(1, 2).unsqueeze(3).expand(-1, -1, -1, 2)
        peaks = peaks.gather(2, chosen).transpose(1, 2)
        return peaks.where((nearest < self.max_absorb_distance).unsqueeze(3), places)

    def _scores(self, places: Tensor, centres: Tensor, heatmaps: Tensor) -> Tensor:
        """(B, N, K)."""
        scores = centres.unsqueeze(2).expand(places.shape[:3])
        if self.keypoint_score_type != "center":
            rows, columns = heatmaps.shape[2:]
            x = places[..., 0].floor().clamp(0, columns - 1)
            y = places[..., 1].floor().clamp(0, rows - 1)
            cells = (y.long() * columns + x.long()).transpose(1, 2)  # (B, K, N)
            own = heatmaps.flatten(2).gather(2, cells).transpose(1, 2)
            scores = own if self.keypoint_score_type == "heatmap" else scores * own
        return scores.clamp(0, 1) if self.clip_scores else scores

    def _without_doubles(self, places: Tensor, found: Tensor) -> Tensor:
        """Which of the poses (B, N, K, 2), best first, do not lie on a better one."""
        extent = (places.amax(dim=2) - places.amin(dim=2)).clamp(min=1)
        reach = self.nms_threshold * torch.linalg.vector_norm(extent, dim=2)  # (B, N)
        between = places.unsqueeze(1) - places.unsqueeze(2)  # (B, better, worse, K, 2)
        close = torch.linalg.vector_norm(between, dim=4) < reach[:, None, :, None]
        same = close.sum(dim=3)
        if self.nms_keypoint_fraction is None:
            doubles = (same > self.nms_threshold) & found.unsqueeze(2)
            earlier: Tensor = doubles.triu(1).any(dim=1)
            return ~earlier
        doubles = same > self.nms_keypoint_fraction * places.shape[2]
        kept: Tensor = found.clone()
        for worse in range(1, self.num_animals):
            kept[:, worse] &= ~(doubles[:, :worse, worse] & kept[:, :worse]).any(dim=1)
        return kept


def _peaks(heatmaps: Tensor) -> Tensor:
    """Maps (B, K, h, w) or (B, h, w) that keep their peaks only, 0 elsewhere."""
    size, margin = _PEAK_WINDOW, _PEAK_WINDOW // 2
    highest = F.max_pool2d(heatmaps, (1, size), stride=1, padding=(0, margin))
    highest = F.max_pool2d(highest, (size, 1), stride=1, padding=(margin, 0))
    return heatmaps.where(heatmaps == highest, 0.0)


def _places(cells: Tensor, heatmaps: Tensor) -> Tensor:
    """Flat cells (...) as column and row (..., 2)."""
    columns = heatmaps.shape[3]
    rows = cells // columns
    return torch.stack((cells - rows * columns, rows), dim=-1).to(heatmaps.dtype)


def _kept_backwards(kept: Tensor) -> Tensor:
    """The order (B, N) in which those that are kept come first, the last of them before all."""
    places = torch.arange(kept.shape[1], device=kept.device)
    return places.where(kept, -1 - places).argsort(dim=1, descending=True)
