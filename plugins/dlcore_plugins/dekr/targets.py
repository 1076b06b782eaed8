"""What the heatmaps and offsets of a DEKR head should have been.

Everything is computed in windows around the points and brought together on the maps by scattering,
so that the cost follows the area near the points, not the number of individuals times the area of
the image.

Legend: B images, N individuals, K keypoints, M maps, P points per individual, h w cells,
r c rows and columns of a window.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import PositiveFloat
from torch import Tensor

from dlcore import ComponentError
from dlcore.interfaces import Labels, Outputs, PoseTask, Target, TargetGenerator


class DEKRGenerator(TargetGenerator):
    """Targets for the outputs "heatmap" and "offset" of a DEKR head.

    "heatmap" has a Gaussian at each keypoint and, in the last map, a wider one at each centre: the
    mean of an individual's labelled keypoints. It counts fully near a point, and `bg_weight`
    elsewhere; where a keypoint is not defined (visibility -1) its map counts near others only.

    "offset" is x and y from a keypoint to the cell, in cells, for the cells near the centre of the
    individual. It counts less for larger individuals: one over the root of the area of their box.
    Where the surroundings of centres overlap, the smaller individual has the cell.

    Labels may already have the centre as one more keypoint; then that one is taken.

    Args:
        task: The keypoints.
        num_joints: Number of keypoints; null for as many as the task has.
        pos_dist_thresh: In pixels: standard deviation of the Gaussian of a centre, twice that of a
            keypoint, and how far from a centre the offsets count.
        bg_weight: Weight of what is far from all points.

    Raises:
        ValueError: If `num_joints` does not fit the task.
    """

    output_names = ("heatmap", "offset")

    def __init__(
        self,
        task: PoseTask,
        *,
        num_joints: int | None = None,
        pos_dist_thresh: PositiveFloat = 17,
        bg_weight: float = 0.1,
    ) -> None:
        if num_joints not in (None, task.num_keypoints):
            raise ValueError(
                f"num_joints is {num_joints}, but there are {task.num_keypoints} keypoints"
            )
        self.num_keypoints = task.num_keypoints
        self.pos_dist_thresh = pos_dist_thresh
        self.bg_weight = bg_weight

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets for each of `output_names`."""
        maps, rows, columns = outputs["heatmap"].shape[1:]
        if maps != self.num_keypoints + 1:
            raise ComponentError(
                f"the head gives {maps} heatmaps, but {self.num_keypoints} keypoints and their "
                f"centre need {self.num_keypoints + 1}; correct the last channels of heatmap_config"
            )
        grid = _Grid(rows, columns, stride)
        points = self._points(labels)
        return {
            "heatmap": self._heatmap(points, grid),
            "offset": self._offset(points, labels.areas, grid),
        }

    def _points(self, labels: Labels) -> Tensor:
        """(B, N, K + 1, 3) x, y, visibility; the last one is the centre."""
        padding = labels.individual_ids < 0
        keypoints = labels.keypoints.float().masked_fill(padding[:, :, None, None], 0.0)
        if keypoints.shape[2] == self.num_keypoints + 1:
            return keypoints
        places, visibility = keypoints[..., :2], keypoints[..., 2:]
        labelled = visibility > 0
        count = labelled.sum(dim=2, keepdim=True)
        mean = places.where(labelled, 0.0).sum(dim=2, keepdim=True) / count.clamp(min=1)
        # Without a defined keypoint the centre is not defined either: it may be there all the same.
        defined = (visibility >= 0).any(dim=2, keepdim=True)
        flag = torch.where(count > 0, 2.0, 0.0).where(defined, -1.0)
        return torch.cat((keypoints, torch.cat((mean, flag), dim=3)), dim=2)

    def _heatmap(self, points: Tensor, grid: _Grid) -> Target:
        """Gaussians, and where they count."""
        images, _, maps = points.shape[:3]
        canvas = _Canvas(images, maps, grid, points.device)
        undefined = (points[..., 2] < 0).any(dim=1)
        background = torch.where(undefined, 0.0, self.bg_weight)
        heatmap, weights = canvas.blank(torch.zeros_like(background)), canvas.blank(background)
        deviation = self.pos_dist_thresh / grid.stride
        for chosen, std in ((slice(-1), deviation / 2), (slice(-1, None), deviation)):
            some = points[:, :, chosen]
            places, visible = grid.cells(some), grid.holds(some)
            low, high = (places - 3 * std - 1).floor(), (places + 3 * std + 2).ceil()
            window = _window(low, high, visible, grid, longest=int(6 * std) + 5)
            x = window.x - places[..., 0, None, None]
            y = window.y - places[..., 1, None, None]
            scale = -1 / (2 * std**2)
            drawn = (y.square() * scale).exp() * (x.square() * scale).exp()
            cells = canvas.index(window, chosen).flatten()
            heatmap.scatter_reduce_(0, cells, drawn.flatten(), "amax")
            weights.scatter_(0, cells, 1.0)
        return Target(canvas.maps(heatmap), canvas.maps(weights))

    def _offset(self, points: Tensor, areas: Tensor, grid: _Grid) -> Target:
        """The way from the keypoints to the cells near the centre, and how much it counts."""
        keypoints, centres = points[:, :, :-1], points[:, :, -1:]
        reach = self.pos_dist_thresh / grid.stride
        middle = grid.cells(torch.cat((centres[..., :2].trunc(), centres[..., 2:]), dim=3))
        low, high = (middle - reach).clamp(min=0).floor(), middle + reach
        high = torch.minimum(high, high.new_tensor((grid.columns, grid.rows))).floor()
        window = _window(low, high, grid.holds(centres), grid, longest=int(2 * reach) + 2)
        inside = window.inside & grid.holds(keypoints)[..., None, None]
        window = window._replace(inside=inside, cells=window.cells.expand(inside.shape))

        # The later individual of this order has the cell: smaller than those before it.
        order = areas.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        rank = order.to(areas.dtype)[:, :, None, None, None].expand(inside.shape)
        images, _, count = keypoints.shape[:3]
        canvas = _Canvas(images, count, grid, points.device)
        cells = canvas.index(window).flatten()
        last = canvas.blank(areas.new_full((images, count), -1.0))
        last.scatter_reduce_(0, cells, rank.flatten(), "amax")
        window = window._replace(inside=inside & (last[cells].view(rank.shape) == rank))

        canvas = _Canvas(images, 2 * count, grid, points.device)
        nothing = areas.new_zeros(images, 2 * count)
        offsets, weights = canvas.blank(nothing), canvas.blank(nothing)
        weight = areas.clamp(min=1).rsqrt()[:, :, None, None, None].expand(inside.shape).flatten()
        places = grid.cells(keypoints)[..., None, None]
        for axis, along in enumerate((window.x, window.y)):
            cells = canvas.index(window, slice(axis, None, 2)).flatten()
            distance = (along - places[..., axis, :, :]).expand(inside.shape)
            offsets.scatter_(0, cells, distance.flatten())
            weights.scatter_(0, cells, weight)
        return Target(canvas.maps(offsets), canvas.maps(weights))


class _Grid(NamedTuple):
    """The cells of a map: how many, and how many pixels each covers along an axis."""

    rows: int
    columns: int
    stride: float

    def cells(self, points: Tensor) -> Tensor:
        """Pixels (..., 3) x, y, visibility as cells (..., 2), 0 at the centre of the first one."""
        places = points[..., :2].where(points[..., 2:] > 0, 0.0)  # the others may be NaN
        return (places - self.stride / 2) / self.stride

    def holds(self, points: Tensor) -> Tensor:
        """Which of the points (..., 3) are labelled and on the map."""
        x, y = self.cells(points).unbind(-1)
        on_map = (x >= -0.5) & (x < self.columns) & (y >= -0.5) & (y < self.rows)
        return on_map & (points[..., 2] > 0)


class _Window(NamedTuple):
    """Cells near points.

    Attributes:
        x: (B, N, P, 1, c), their columns.
        y: (B, N, P, r, 1), their rows.
        inside: (B, N, P, r, c), which of them count.
        cells: (B, N, P, r, c), their indices in the flattened map; for those that count.
    """

    x: Tensor
    y: Tensor
    inside: Tensor
    cells: Tensor


def _window(low: Tensor, high: Tensor, visible: Tensor, grid: _Grid, longest: int) -> _Window:
    """The cells of the map from `low` up to, but without, `high`.

    Args:
        low: (B, N, P, 2) column and row.
        high: (B, N, P, 2) column and row.
        visible: (B, N, P), whether there is a point at all.
        grid: The cells of the map.
        longest: At least the largest difference of `high` and `low`.
    """
    spans = []
    for axis, size in enumerate((grid.columns, grid.rows)):
        steps = torch.arange(min(longest, size), device=low.device)
        cells = low[..., axis, None].clamp(min=0) + steps
        spans.append((cells, cells < high[..., axis, None].clamp(max=size)))
    (x, within_x), (y, within_y) = spans
    x, y = x.unsqueeze(3), y.unsqueeze(4)
    inside = within_y.unsqueeze(4) & within_x.unsqueeze(3) & visible[..., None, None]
    return _Window(x, y, inside, (y * grid.columns + x).long())


class _Canvas:
    """Maps (B, M, h, w) as one row of cells, with a spare cell at the end.

    What is outside its window is drawn into the spare cell: leaving it out would make the host
    wait for the device.
    """

    def __init__(self, images: int, maps: int, grid: _Grid, device: torch.device) -> None:
        self.shape = (images, maps, grid.rows, grid.columns)
        self.area = grid.rows * grid.columns
        self.spare = images * maps * self.area
        starts = torch.arange(images * maps, device=device) * self.area
        self.starts = starts.view(images, 1, maps, 1, 1)

    def blank(self, values: Tensor) -> Tensor:
        """A row of cells with one value (B, M) for each map."""
        cells = values.new_empty(self.spare + 1)
        cells[:-1].view(-1, self.area).copy_(values.view(-1, 1))
        cells[-1:] = 0
        return cells

    def index(self, window: _Window, maps: slice = slice(None)) -> Tensor:
        """Where the cells of a window (B, N, P, r, c) are in the row; its points are `maps`."""
        return (self.starts[:, :, maps] + window.cells).where(window.inside, self.spare)

    def maps(self, cells: Tensor) -> Tensor:
        """The row as maps."""
        return cells[:-1].view(self.shape)
