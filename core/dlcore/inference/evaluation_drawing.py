"""Draws labels and predictions on an image: circles, crosses, and lines between them.

Legend: N individuals, M poses, K keypoints, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

_LONGER_SIDE = 7.0  # inches
_DOTS_PER_INCH = 120
_LEGEND_ROWS = 24
_LEGEND_COLUMN = 1.5  # inches
_MARGIN = 0.2  # of the larger side of what is shown, on each side
_SMALLEST_VIEW = 48.0  # pixels
_WHOLE = 0.7  # a view of more than this part of the image shows all of it
_FAINT = 0.5
_GREY = "0.35"


@dataclass(frozen=True)
class Group:
    """Keypoints of one kind: those of individuals, or unique ones.

    Attributes:
        names: (K) of the keypoints.
        labels: (N, K, 3) x, y, visibility.
        found: (M, K, 3 or more) x, y, score.
        cutoffs: (K,) the score that counts.
        rows: (N) the pose that belongs to an individual, -1 for none.
        missing: Which individuals were missed.
        skeleton: Pairs of keypoints to join.
    """

    names: Sequence[str]
    labels: Floats
    found: Floats
    cutoffs: Floats
    rows: Sequence[int]
    missing: Sequence[int] = ()
    skeleton: Sequence[tuple[int, int]] = ()

    @property
    def labelled(self) -> Floats:
        """(N, K, 2), NaN where there is no label."""
        return np.where(self.labels[..., 2:] > 0, self.labels[..., :2], np.nan)

    @property
    def predicted(self) -> Floats:
        """(M, K, 2), NaN where nothing was found."""
        return np.where(self.found[..., 2:3] >= 0, self.found[..., :2], np.nan)


@dataclass(frozen=True)
class Scene:
    """One image with labels and what was found.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        groups: What to draw.
        name: Of the image.
        caption: What to say about it.
    """

    image: npt.NDArray[np.uint8]
    groups: Sequence[Group]
    name: str
    caption: str

    def draw(self, path: Path) -> None:
        """Write the picture as JPEG.

        Where the animals are small in the image, only the part is shown that they are in. The axes
        count the pixels of the whole image.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        places = [place for group in self.groups for place in (group.labelled, group.predicted)]
        points = np.concatenate([place.reshape(-1, 2) for place in places])
        x, y, width, height = view(points, self.image.shape)
        names = [name for group in self.groups for name in group.names]
        columns = -(-(len(names) + 4) // _LEGEND_ROWS)
        scale = _LONGER_SIDE / max(width, height)
        wide, high = scale * width, scale * height
        total = (wide + _LEGEND_COLUMN * columns + 0.9, max(high + 0.95, 2.5))
        figure = Figure(total, dpi=_DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        bottom = total[1] - 0.6 - high
        axes = figure.add_axes(
            (0.5 / total[0], bottom / total[1], wide / total[0], high / total[1])
        )
        part = self.image[y : y + height, x : x + width]
        axes.imshow(part, extent=(x, x + width, y + height, y), interpolation="bilinear")
        axes.set_xlim(x, x + width)
        axes.set_ylim(y + height, y)
        axes.tick_params(labelsize=8)
        colours, start = _colours(len(names)), 0
        for group in self.groups:
            _draw_group(axes, group, colours[start : start + len(group.names)])
            start += len(group.names)
        whole = (height, width) == self.image.shape[:2]
        title = f"{self.name}{'' if whole else ' (part)'}\n{self.caption}"
        axes.set_title(title, fontsize=10, loc="left")
        _add_legend(axes, names, colours, columns)
        figure.savefig(
            path, format="jpg", bbox_inches="tight", pad_inches=0.1, pil_kwargs={"quality": 88}
        )


def view(points: Floats, shape: Sequence[int]) -> tuple[int, int, int, int]:
    """The part of an image to show: x, y, width, height in whole pixels.

    Args:
        points: (M, 2) what is to be seen; NaN for nothing.
        shape: H, W, ... of the image.
    """
    size = np.array((shape[1], shape[0]))
    inside = points[np.isfinite(points).all(axis=1)]
    inside = inside[((inside >= 0) & (inside <= size)).all(axis=1)]
    if not len(inside):
        return 0, 0, shape[1], shape[0]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = _MARGIN * max(float((high - low).max()), _SMALLEST_VIEW)
    low = np.floor((low - margin).clip(0, size)).astype(int)
    high = np.ceil((high + margin).clip(0, size)).astype(int)
    if np.prod(high - low) > _WHOLE * np.prod(size):
        return 0, 0, shape[1], shape[0]
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _colours(count: int) -> Floats:
    """Colours (count, 4), evenly around the circle."""
    import matplotlib as mpl

    colours: Floats = mpl.colormaps["hsv"](np.arange(count) / max(count, 1))
    return colours


def _draw_group(axes: Any, group: Group, colours: Floats) -> None:
    labelled, predicted = group.labelled, group.predicted
    for label, row in zip(labelled, group.rows, strict=True):
        for start, end in group.skeleton:
            axes.plot(*label[[start, end]].T, "-", c="white", lw=0.8, alpha=_FAINT)
        if row >= 0:
            for here, there, colour in zip(label, predicted[row], colours, strict=True):
                line = np.stack([here, there]).T
                axes.plot(*line, "-", c="black", lw=2.4)
                axes.plot(*line, "-", c=colour, lw=1.3)
    for label in labelled:
        for colour, width in (("black", 3.0), (colours, 1.6)):
            axes.scatter(*label.T, s=70, facecolors="none", edgecolors=colour, linewidths=width)
    for pose, found in zip(predicted, group.found, strict=True):
        certain = found[:, 2] >= group.cutoffs
        for some, alpha in ((certain, 1.0), (~certain, _FAINT)):
            for colour, width in (("black", 3.2), (colours[some], 1.8)):
                axes.scatter(
                    *pose[some].T, s=34, marker="x", c=colour, linewidths=width, alpha=alpha
                )
    for individual in group.missing:
        _mark_missed(axes, labelled[individual])


def _mark_missed(axes: Any, label: Floats) -> None:
    from matplotlib.patches import Rectangle

    low, high = np.nanmin(label, axis=0), np.nanmax(label, axis=0)
    corner = low - 0.08 * (high - low).max()
    width, height = (high - low) + 0.16 * (high - low).max()
    axes.add_patch(Rectangle(corner, width, height, fill=False, ls="--", lw=1.4, ec="white"))
    axes.annotate(
        "missed",
        corner,
        color="white",
        fontsize=9,
        va="bottom",
        bbox={"facecolor": "black", "alpha": 0.6, "pad": 1.5, "edgecolor": "none"},
        annotation_clip=True,
    )


def _add_legend(axes: Any, names: Sequence[str], colours: Floats, columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", mfc="none", mec=_GREY, ls="", mew=1.5, label="label"),
        Line2D([], [], marker="x", c=_GREY, ls="", mew=1.8, label="prediction"),
        Line2D([], [], marker="x", c=_GREY, ls="", mew=1.8, alpha=_FAINT, label="low score"),
        Line2D([], [], c=_GREY, lw=1.3, label="error"),
    ]
    for name, colour in zip(names, colours, strict=True):
        short = name if len(name) <= 20 else f"{name[:17]}..."
        handles.append(Line2D([], [], marker="s", c=colour, ls="", label=short))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncol=columns,
        columnspacing=1.0,
        frameon=False,
        fontsize=8,
    )
