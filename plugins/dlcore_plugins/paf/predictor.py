"""From heatmaps and part affinity fields to individuals: what happens on the device.

The peaks of each heatmap are candidates for a keypoint. How well two candidates belong to the same
individual is read from the field of their edge along the line between them. Only a small table of
candidates and affinities leaves the device; `dlcore_plugins.paf.assembly` makes individuals of it.

Only the `num_animals` best candidates of each keypoint are looked at, since never more of them
become part of an individual: an untrained network, which has peaks everywhere, costs no more time
or memory than a trained one.

Legend: B images, K keypoints, E edges, N candidates of each keypoint and most individuals,
h w output cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from dlcore import ComponentError
from dlcore.interfaces import Outputs, PoseTask, Predictor
from dlcore_plugins.paf.assembly import Assembler
from dlcore_plugins.paf.graph import check_graph

_LEAST_PEAK = 0.01
_POINTS_ON_LINE = 10
_SHORT = 1e-6  # between a candidate and itself


class PartAffinityFieldPredictor(Predictor):
    """Individuals put together from peaks of heatmaps and the fields between them.

    Gives `poses` (B, num_animals, K, 5): x, y, score, -1, and the affinity of the individual (the
    mean over its links). Individuals come in the order of the sum of their affinities, the greatest
    first. Missing keypoints of a found individual are NaN with score 0, missing individuals are -1
    throughout.

    Args:
        task: Gives the number of keypoints and individuals.
        graph: Pairs of keypoint indices, as in the target generator.
        edges_to_keep: Indices into `graph` of the edges that link keypoints; null for all.
        num_animals: How many individuals are predicted at most; null for as many as the task has.
        num_multibodyparts: Number of keypoints per individual; null for as many as the task has.
        num_uniquebodyparts: Must be 0: unique bodyparts have a head of their own.
        locref_stdev: Pixels per unit of "locref"; must be the `locref_std` of the target generator.
        nms_radius: Side in cells of the window in which a candidate must be the best; heatmaps are
            smoothed with a kernel of twice that size first.
        sigma: Standard deviation in cells of that kernel.
        min_affinity: Least affinity of a link between two keypoints.
        add_discarded: Whether candidates that nobody got are given to the nearest individual that
            lacks that keypoint.
        apply_sigmoid: Whether the heatmaps are logits.
        clip_scores: Whether to clip scores to [0, 1].
        force_fusion: Whether too many individuals are reduced by fusing the smallest ones with
            others, whether or not a link joins them.
        return_preds: Whether to give also what individuals were made of: `candidates`
            (B, K, N, 3) x, y, score, NaN where there are fewer, and `affinities` (B, E, N, N) of
            the kept edges.

    Raises:
        ValueError: If an option does not fit the task.
    """

    output_names = ("heatmap", "locref", "paf")
    traceable = False  # individuals are put together by Python

    def __init__(
        self,
        task: PoseTask,
        *,
        graph: list[list[int]],
        edges_to_keep: list[int] | None = None,
        num_animals: PositiveInt | None = None,
        num_multibodyparts: PositiveInt | None = None,
        num_uniquebodyparts: int = 0,
        locref_stdev: PositiveFloat = 7.2801,
        nms_radius: PositiveInt = 5,
        sigma: PositiveFloat = 1.0,
        min_affinity: NonNegativeFloat = 0.05,
        add_discarded: bool = False,
        apply_sigmoid: bool = True,
        clip_scores: bool = False,
        force_fusion: bool = False,
        return_preds: bool = False,
    ) -> None:
        if num_multibodyparts not in (None, task.num_keypoints):
            raise ValueError(
                f"num_multibodyparts is {num_multibodyparts}, but there are "
                f"{task.num_keypoints} keypoints"
            )
        if num_uniquebodyparts:
            raise ValueError(
                f"num_uniquebodyparts must be 0, got {num_uniquebodyparts}: "
                f"unique bodyparts have a head of their own, 'unique_bodypart'"
            )
        edges = check_graph(graph, task)
        self.kept = list(range(len(edges))) if edges_to_keep is None else list(edges_to_keep)
        if not self.kept or not all(0 <= edge < len(edges) for edge in self.kept):
            raise ValueError(
                f"edges_to_keep must hold indices of edges from 0 to {len(edges) - 1}, "
                f"got {edges_to_keep}"
            )
        self.num_edges = len(edges)
        self.num_animals = num_animals or task.num_individuals
        self.locref_stdev = locref_stdev
        self.nms_radius = nms_radius
        self.sigma = sigma
        self.apply_sigmoid = apply_sigmoid
        self.clip_scores = clip_scores
        self.return_preds = return_preds
        self.assembler = Assembler(
            task.num_keypoints,
            [edges[edge] for edge in self.kept],
            num_animals=self.num_animals,
            min_affinity=min_affinity,
            add_discarded=add_discarded,
            force_fusion=force_fusion,
        )

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """`poses` (B, num_animals, K, 5), and what they were made of if wanted."""
        paf = outputs["paf"]
        if paf.shape[1] != 2 * self.num_edges:
            raise ComponentError(
                f"the head gives {paf.shape[1]} affinity maps, but a graph of {self.num_edges} "
                f"edges needs {2 * self.num_edges}; correct the last channels of paf_config"
            )
        scores, cells = self._candidates(outputs["heatmap"])
        places = self._places(cells, outputs["locref"], stride)
        affinities = self._affinities(cells, paf)
        on_cpu = (tensor.cpu().numpy() for tensor in (places, scores, affinities))
        images = [self.assembler(*image) for image in zip(*on_cpu, strict=True)]
        poses = torch.from_numpy(np.stack(images))
        if self.clip_scores:
            poses[..., 2].clamp_(0, 1)
        predictions = {"poses": poses.to(paf.device)}
        if self.return_preds:
            candidates = torch.cat((places, scores.unsqueeze(3)), dim=3)
            predictions["candidates"] = candidates.where(scores.unsqueeze(3) > 0, torch.nan)
            predictions["affinities"] = affinities
        return predictions

    def _candidates(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, K, N) in descending order, 0 for none, and indices of flattened cells."""
        if self.apply_sigmoid:
            heatmaps = heatmaps.sigmoid()
        smooth = _smoothed(heatmaps.float(), self.nms_radius, self.sigma)
        candidates = _peaks(smooth, self.nms_radius // 2) & (smooth >= _LEAST_PEAK)
        scores = smooth.where(candidates, 0.0).flatten(2)
        best = scores.topk(min(self.num_animals, scores.shape[2]), dim=2)
        return best.values, best.indices

    def _places(self, cells: Tensor, locref: Tensor, stride: float) -> Tensor:
        """Places (B, K, N, 2) in pixels of candidates in flattened cells (B, K, N)."""
        width = locref.shape[3]
        corners = torch.stack((cells % width, cells // width), dim=3) * stride
        offsets = locref.unflatten(1, (-1, 2)).flatten(3)  # (B, K, 2, h * w)
        own = offsets.gather(3, cells.unsqueeze(2).expand(-1, -1, 2, -1)).transpose(2, 3)
        places: Tensor = corners + stride // 2 + own * self.locref_stdev
        return places

    def _affinities(self, cells: Tensor, paf: Tensor) -> Tensor:
        """How well candidates belong together, (B, kept edges, N, N): the field along their line.

        The x of the field is summed up over the way in x, the y over the way in y. The affinity is
        the length of the vector of the two sums, divided by the length of the line: on a perfect
        field 1 for lines along an axis, 0.71 for diagonals. Whether the field points forwards or
        backwards makes no difference.
        """
        height, width = paf.shape[2:]
        x, y = self._lines(cells % width), self._lines(cells // width)
        channels = 2 * torch.tensor(self.kept, device=paf.device)
        first = (channels * height * width)[:, None, None, None] + y * width + x
        both = torch.stack((first, first + height * width), dim=2)  # (B, E, 2, N, N, points)
        along = paf.flatten(1).gather(1, both.flatten(1)).view_as(both)
        ways = torch.stack((x, y), dim=2).to(along.dtype)
        integral = torch.trapezoid(along, ways, dim=-1).norm(dim=2)
        length = (ways[..., -1] - ways[..., 0]).norm(dim=2)
        affinities: Tensor = integral / length.clamp(min=_SHORT)
        return affinities.round(decimals=3)

    def _lines(self, positions: Tensor) -> Tensor:
        """Cells on the way between candidates, (B, kept edges, N, N, points), along one axis.

        Args:
            positions: (B, K, N) rows or columns of the candidates.
        """
        edges = torch.tensor(self.assembler.edges, device=positions.device)
        start = positions.index_select(1, edges[:, 0])[:, :, :, None, None]
        end = positions.index_select(1, edges[:, 1])[:, :, None, :, None]
        steps = torch.linspace(0, 1, _POINTS_ON_LINE, device=positions.device)
        cells: Tensor = start + steps * (end - start)
        return cells.long()


def _smoothed(maps: Tensor, radius: int, sigma: float) -> Tensor:
    """Maps (B, K, h, w) smoothed by a Gaussian of `2 * radius + 1` cells, 0 beyond the edge."""
    kernel = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    for axis in (2, 3):
        smooth = torch.zeros_like(maps)
        for weight, moved in zip(kernel, _moved(maps, -radius, radius, axis, 0.0), strict=True):
            smooth.add_(moved, alpha=weight / sum(kernel))
        maps = smooth
    return maps


def _peaks(maps: Tensor, reach: int) -> Tensor:
    """Which cells of maps (B, K, h, w) are the greatest among those `reach` cells around them.

    Of equal cells it is the first in reading order, so that a flat top is one peak. This takes a
    fraction of the time of a max-pool on the CPU.
    """
    rows = _greatest(maps, -reach, reach, axis=3)
    before = torch.maximum(_greatest(maps, -reach, -1, axis=3), _greatest(rows, -reach, -1, axis=2))
    behind = torch.maximum(_greatest(maps, 1, reach, axis=3), _greatest(rows, 1, reach, axis=2))
    return (maps > before) & (maps >= behind)


def _greatest(maps: Tensor, first: int, last: int, axis: int) -> Tensor:
    """For each cell the greatest of those from `first` to `last` cells further along an axis."""
    moved = _moved(maps, first, last, axis, -torch.inf)
    return reduce(torch.maximum, moved, maps.new_tensor(-torch.inf))


def _moved(maps: Tensor, first: int, last: int, axis: int, beyond: float) -> Iterator[Tensor]:
    """For each step from `first` to `last`: maps of the cells so much further along an axis."""
    size, reach = maps.shape[axis], max(-first, last)
    sides = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = F.pad(maps, sides, value=beyond)
    for step in range(first, last + 1):
        yield padded.narrow(axis, reach + step, size)
