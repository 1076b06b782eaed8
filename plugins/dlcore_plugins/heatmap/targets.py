"""What the heatmaps and offsets of a head should have been.

Both come from one map of how close the nearest point is. It is computed only in a window around
each point, and the windows are brought together by a maximum, so that the cost follows the area
near the points, not the number of animals times the area of the image.

Legend: B images, M maps, P points drawn into one map, N individuals, K keypoints, h w cells.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, NamedTuple

import torch
from pydantic import PositiveFloat
from torch import Tensor

from dlcore import ComponentError
from dlcore.interfaces import Labels, Outputs, PoseTask, Target, TargetGenerator

_GAUSSIAN_REACH = 5.5  # standard deviations; farther out a Gaussian is below 3e-7
_AS_CLOSE = 1 - 1e-6  # two points are equally near but for rounding


class _HeatmapGenerator(TargetGenerator):
    """Targets for the outputs "heatmap" and "locref".

    "locref" is the way from the centre of a cell to the nearest point of the map, x before y,
    divided by `locref_std`. It counts within `pos_dist_thresh` pixels of a point and nowhere else.

    Maps of keypoints with visibility -1 count nowhere.

    Args:
        task: Gives the number of maps.
        num_heatmaps: Number of maps; null for as many as the task has.
        pos_dist_thresh: Radius in pixels of what counts as near a keypoint.
        heatmap_mode: "KEYPOINT" for one map per keypoint with all individuals in it, "INDIVIDUAL"
            for one map per individual with all its keypoints in it; the map of an individual that
            is not in the image counts nowhere. Upper or lower case.
        gradient_masking: Whether the map of a keypoint that is not labelled in some individual
            of the image weighs only `background_weight`, because it may be there all the same.
        background_weight: Weight of such a map.
        generate_locref: Whether to make the target for "locref".
        locref_std: Pixels per unit of "locref".
        label_keypoint_key: "keypoints", or "keypoints_unique" for those that exist once per image.

    Raises:
        ValueError: If an option has no meaning, or `num_heatmaps` does not fit the task.
    """

    def __init__(
        self,
        task: PoseTask,
        *,
        num_heatmaps: int | None = None,
        pos_dist_thresh: PositiveFloat = 17,
        heatmap_mode: str = "KEYPOINT",
        gradient_masking: bool = False,
        background_weight: float = 0.1,
        generate_locref: bool = True,
        locref_std: PositiveFloat = 7.2801,
        label_keypoint_key: Literal["keypoints", "keypoints_unique"] = "keypoints",
    ) -> None:
        if heatmap_mode.upper() not in ("KEYPOINT", "INDIVIDUAL"):
            raise ValueError(f"heatmap_mode must be KEYPOINT or INDIVIDUAL, got {heatmap_mode!r}")
        self.unique = label_keypoint_key == "keypoints_unique"
        self.per_individual = heatmap_mode.upper() == "INDIVIDUAL"
        if self.unique and self.per_individual:
            raise ValueError(
                "heatmap_mode INDIVIDUAL needs label_keypoint_key 'keypoints': "
                "unique keypoints belong to no individual"
            )
        self.num_heatmaps = _number_of_maps(task, self.per_individual, self.unique)
        if num_heatmaps not in (None, self.num_heatmaps):
            what = "individuals" if self.per_individual else label_keypoint_key
            raise ValueError(
                f"num_heatmaps is {num_heatmaps}, but there are {self.num_heatmaps} {what}"
            )
        self.pos_dist_thresh = pos_dist_thresh
        self.std = 2 * pos_dist_thresh / 3
        self.gradient_masking = gradient_masking
        self.background_weight = background_weight
        self.generate_locref = generate_locref
        self.locref_std = locref_std
        self.output_names = ("heatmap", "locref") if generate_locref else ("heatmap",)

    @property
    @abstractmethod
    def reach(self) -> float:
        """How far from a point the heatmap is not 0, in pixels; at least `pos_dist_thresh`."""
        raise NotImplementedError

    @abstractmethod
    def draw(self, window: _Window) -> Tensor:
        """What one point adds to the closeness in its window, (B, M, P, rows, columns)."""
        raise NotImplementedError

    @abstractmethod
    def heatmaps(self, closeness: Tensor) -> Tensor:
        """Heatmaps from the closeness (B, M, h, w), which may be changed in place."""
        raise NotImplementedError

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets for each of `output_names`."""
        maps, rows, columns = outputs["heatmap"].shape[1:]
        if maps != self.num_heatmaps:
            raise ComponentError(
                f"the head gives {maps} heatmaps, but there are targets for {self.num_heatmaps}; "
                f"correct the last channels of heatmap_config"
            )
        points, counts = self._points(labels)
        grid = _Grid(rows, columns, stride)
        closeness = self._closeness(points, grid)
        targets = {}
        if self.generate_locref:
            targets["locref"] = self._locref(points, closeness, grid)
        targets["heatmap"] = Target(self.heatmaps(closeness), self._weights(points, counts))
        return targets

    def _points(self, labels: Labels) -> tuple[Tensor, Tensor]:
        """(B, M, P, 3) x, y, visibility of what belongs to each map; whether it is no padding."""
        if self.unique:
            points = labels.unique_keypoints.float().unsqueeze(2)
            return points, torch.ones_like(points[..., 0], dtype=torch.bool)
        keypoints, ids = labels.keypoints.float(), labels.individual_ids
        if not self.per_individual:
            points = keypoints.transpose(1, 2).contiguous()
            return points, (ids >= 0).unsqueeze(1).expand(points.shape[:3])
        images, _, parts, _ = keypoints.shape
        spare = self.num_heatmaps  # a row for padding, cut off below
        ids = torch.where((ids >= 0) & (ids < spare), ids, spare)
        points = keypoints.new_full((images, spare + 1, parts, 3), -1.0)
        points.scatter_(1, ids[:, :, None, None].expand_as(keypoints), keypoints)
        points = points[:, :spare]
        return points, torch.ones_like(points[..., 0], dtype=torch.bool)

    def _weights(self, points: Tensor, counts: Tensor) -> Tensor:
        """(B, M, 1, 1): a map counts as a whole or not at all."""
        visibility = points[..., 2]
        weights = torch.ones_like(visibility[..., :1])
        if self.gradient_masking:
            unlabelled = ((visibility == 0) & counts).any(dim=2, keepdim=True)
            weights = weights.masked_fill(unlabelled, self.background_weight)
        undefined = (visibility < 0).any(dim=2, keepdim=True)
        return weights.masked_fill(undefined, 0.0).unsqueeze(3)

    def _closeness(self, points: Tensor, grid: _Grid) -> Tensor:
        """(B, M, h, w), how close the nearest point is: 1 at a point, 0 far from all."""
        images, maps = points.shape[:2]
        window = _Window(points, grid, self.reach)
        closeness = points.new_zeros(images * maps * grid.rows * grid.columns)
        drawn = self.draw(window)
        closeness.scatter_reduce_(0, window.cells.flatten(), drawn.flatten(), "amax")
        return closeness.view(images, maps, grid.rows, grid.columns)

    def _locref(self, points: Tensor, closeness: Tensor, grid: _Grid) -> Target:
        """Target and weights, both (B, 2 M, h, w)."""
        images, maps, rows, columns = closeness.shape
        window = _Window(points, grid, self.pos_dist_thresh)
        own, nearest = window.closeness(self.std), closeness.flatten()[window.cells]
        chosen = window.within(self.pos_dist_thresh) & (own >= _AS_CLOSE * nearest)
        # Map m of the points is maps 2 m (x) and 2 m + 1 (y) of the offsets. What is not chosen is
        # written behind the end: leaving it out would make the host wait for the device.
        area = rows * columns
        end = images * 2 * maps * area
        x_cells = window.cells + window.maps * area
        cells = torch.stack((x_cells.where(chosen, end), (x_cells + area).where(chosen, end)))
        offsets = torch.stack((window.x.expand_as(chosen), window.y.expand_as(chosen)))
        offsets = offsets.flatten() / -self.locref_std
        target = points.new_zeros(end + 1).scatter_(0, cells.flatten(), offsets)
        weights = points.new_zeros(end + 1).scatter_(0, cells.flatten(), 1.0)
        shape = (images, 2 * maps, rows, columns)
        return Target(target[:end].view(shape), weights[:end].view(shape))


class HeatmapGaussianGenerator(_HeatmapGenerator):
    """Heatmaps that fall off as a Gaussian: 1 at a keypoint, 0.32 at `pos_dist_thresh`.

    The standard deviation is two thirds of `pos_dist_thresh`. Where several individuals are near,
    the nearest counts.
    """

    @property
    def reach(self) -> float:
        """How far from a point the heatmap is not 0, in pixels."""
        return _GAUSSIAN_REACH * self.std

    def draw(self, window: _Window) -> Tensor:
        """The Gaussian around each point."""
        return window.closeness(self.std)

    def heatmaps(self, closeness: Tensor) -> Tensor:
        """The closeness itself."""
        return closeness


class HeatmapPlateauGenerator(_HeatmapGenerator):
    """Heatmaps that are 1 within `pos_dist_thresh` pixels of a keypoint, and 0 elsewhere."""

    @property
    def reach(self) -> float:
        """How far from a point the heatmap is not 0, in pixels."""
        return self.pos_dist_thresh

    def draw(self, window: _Window) -> Tensor:
        """The Gaussian around each point, cut off at the edge of the disc."""
        return window.closeness(self.std).where(window.within(self.reach), 0.0)

    def heatmaps(self, closeness: Tensor) -> Tensor:
        """1 wherever some point is close."""
        return closeness.gt_(0)


class _Grid(NamedTuple):
    """The cells of a map: how many, and how many pixels each covers along an axis."""

    rows: int
    columns: int
    stride: float


class _Window:
    """All cells within `reach` pixels of the points, and a few more that are nearby.

    Windows of points near the edge are moved inwards, so that every cell is one of the map.

    Args:
        points: (B, M, P, 3) x, y, visibility.
        grid: The cells of each map.
        reach: In pixels.

    Attributes:
        cells: (B, M, P, rows, columns), index of the cell in the flattened maps (B, M, h, w).
        maps: (B, M, 1, 1, 1), index of the map in the flattened (B, M).
        x: (B, M, P, 1, columns), pixels from the point to the centre of the cell, to the right.
        y: (B, M, P, rows, 1), the same, downwards.
        labelled: (B, M, P, 1, 1), whether there is a point at all.
    """

    def __init__(self, points: Tensor, grid: _Grid, reach: float) -> None:
        images, maps = points.shape[:2]
        labelled = points[..., 2] > 0
        places = points[..., :2].where(labelled.unsqueeze(3), 0.0)  # the others may be NaN
        columns, x = _cells_along(places[..., 0], grid.columns, grid.stride, reach)
        rows, y = _cells_along(places[..., 1], grid.rows, grid.stride, reach)
        self.maps = torch.arange(images * maps, device=points.device).view(images, maps, 1, 1, 1)
        starts = (self.maps.squeeze(4) * grid.rows + rows) * grid.columns
        self.cells = starts.unsqueeze(4) + columns.unsqueeze(3)
        self.x = x.unsqueeze(3)
        self.y = y.unsqueeze(4)
        self.labelled = labelled[..., None, None]

    def closeness(self, std: float) -> Tensor:
        """(B, M, P, rows, columns), a Gaussian of the distance; 0 without a point."""
        scale = -1 / (2 * std**2)
        along_y = (self.y * self.y * scale).exp().where(self.labelled, 0.0)
        return along_y * (self.x * self.x * scale).exp()

    def within(self, radius: float) -> Tensor:
        """(B, M, P, rows, columns), which cells are at most `radius` pixels from a point."""
        return (self.x * self.x + self.y * self.y <= radius**2) & self.labelled


def _cells_along(
    positions: Tensor, size: int, stride: float, reach: float
) -> tuple[Tensor, Tensor]:
    """Indices along one axis of the cells near positions, and pixels from there to their centres.

    Args:
        positions: (B, M, P) in pixels.
        size: Number of cells along the axis.
        stride: Pixels per cell.
        reach: In pixels.

    Returns:
        Two tensors (B, M, P, length of the window).
    """
    length = min(size, int(2 * reach / stride) + 2)
    first = ((positions - reach) / stride - 0.5).floor().clamp(0, size - length)
    cells = first.long().unsqueeze(3) + torch.arange(length, device=positions.device)
    return cells, (cells + 0.5) * stride - positions.unsqueeze(3)


def _number_of_maps(task: PoseTask, per_individual: bool, unique: bool) -> int:
    if per_individual:
        return task.num_individuals
    return len(task.unique_keypoints) if unique else task.num_keypoints
