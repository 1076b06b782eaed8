"""What part affinity fields should have been, and several generators for one head.

Legend: B images, N individuals, E edges of the graph, h w output cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import PositiveFloat
from torch import Tensor

from dlcore import ComponentError
from dlcore.interfaces import Labels, Outputs, PoseTask, Target, TargetGenerator
from dlcore_plugins.paf.graph import check_graph

_STEEP = 1e4  # per pixel: how fast a field ends beyond its edge


class PartAffinityFieldGenerator(TargetGenerator):
    """Targets for "paf": vectors along each limb, strongest on the line between its ends.

    In cells whose centre projects onto the limb and is at most `width` pixels away from it, the
    field is the unit vector from the first to the second keypoint of the edge, times a factor that
    falls from 1 on the line to 0 at that distance. Where limbs of several individuals cross, the
    later individual's counts. An edge with a keypoint of visibility -1 counts nowhere.

    Args:
        task: Gives the number of keypoints.
        graph: Pairs of keypoint indices, one for each edge.
        width: Pixels from a limb to where its field ends.

    Raises:
        ValueError: If the graph does not fit the task.
    """

    output_names = ("paf",)

    def __init__(
        self, task: PoseTask, *, graph: list[list[int]], width: PositiveFloat = 20
    ) -> None:
        self.edges = check_graph(graph, task)
        self.width = width

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets for "paf"; x and y of edge e are channels 2 e and 2 e + 1."""
        channels, rows, columns = outputs["paf"].shape[1:]
        if channels != 2 * len(self.edges):
            raise ComponentError(
                f"the head gives {channels} affinity maps, but a graph of {len(self.edges)} edges "
                f"needs {2 * len(self.edges)}; correct the last channels of paf_config"
            )
        keypoints = labels.keypoints.float()
        starts = torch.stack([keypoints[:, :, a] for a, _ in self.edges], dim=2)  # (B, N, E, 3)
        ends = torch.stack([keypoints[:, :, b] for _, b in self.edges], dim=2)
        centres_x = (torch.arange(columns, device=keypoints.device) + 0.5) * stride
        centres_y = (torch.arange(rows, device=keypoints.device) + 0.5) * stride
        shape = (len(keypoints), len(self.edges), rows, columns)
        field = keypoints.new_zeros((*shape[:2], 2, *shape[2:]))
        scratch = keypoints.new_empty(shape), keypoints.new_empty(shape)
        for start, end in zip(starts.unbind(1), ends.unbind(1), strict=True):
            self._draw(field, scratch, start, end, centres_x, centres_y)
        undefined = ((starts[..., 2] < 0) | (ends[..., 2] < 0)).any(dim=1)  # (B, E)
        weights = (~undefined).float().repeat_interleave(2, dim=1)[..., None, None]
        return {"paf": Target(field.flatten(1, 2), weights)}

    def _draw(
        self,
        field: Tensor,
        scratch: tuple[Tensor, Tensor],
        start: Tensor,
        end: Tensor,
        centres_x: Tensor,
        centres_y: Tensor,
    ) -> None:
        """Draw the limbs of one individual over what is there.

        Comparing and selecting takes a CPU many times as long as arithmetic in place: whether a
        cell belongs to a limb is a number from 0 to 1, which changes within a fraction of a pixel.

        Args:
            field: (B, E, 2, h, w), changed in place.
            scratch: Two tensors (B, E, h, w) to be written over.
            start: (B, E, 3) x, y, visibility of where the limbs begin.
            end: Likewise of where they end.
            centres_x: (w,) centres of the columns in pixels.
            centres_y: (h,) centres of the rows.
        """
        visible = ((start[..., 2] > 0) & (end[..., 2] > 0)).unsqueeze(2)
        origin = start[..., :2].where(visible, 0.0)  # the others may be NaN
        way = (end[..., :2] - start[..., :2]).where(visible, 0.0)
        length = way.norm(dim=2)[..., None, None]
        direction = way[..., None, None] / length.clamp(min=1e-9).unsqueeze(2)
        along_x, along_y = direction.unbind(2)
        half = torch.where(length > 0, length / 2, -1.0)
        x = (centres_x - origin[..., :1]).unsqueeze(2)  # (B, E, 1, w)
        y = (centres_y - origin[..., 1:]).unsqueeze(3)  # (B, E, h, 1)

        inside, strength = scratch
        torch.add(x * along_x, y * along_y - half, out=inside).abs_()
        torch.sub(half, inside, out=inside)  # pixels along the limb to its nearer end
        torch.sub(y * (along_x / self.width), x * (along_y / self.width), out=strength).abs_()
        strength.neg_().add_(1)  # 1 on the line, 0 where the field ends
        torch.minimum(inside, strength, out=inside).mul_(_STEEP).add_(2).clamp_(0, 1)
        strength.mul_(inside)
        outside = inside.neg_().add_(1)
        for axis, component in enumerate((along_x, along_y)):
            field[:, :, axis].mul_(outside).addcmul_(strength, component)


class SequentialGenerator(TargetGenerator):
    """Several generators for the outputs of one head.

    At strides that are odd or fractional, `PartAffinityFieldPredictor` reads places from half the
    stride rounded down, as DeepLabCut does. Targets are made for that: labels are moved by the rest
    of half a cell before the generators see them.

    Args:
        task: Handed on to the generators.
        generators: Blocks of generators, each with targets for other outputs.

    Raises:
        ValueError: If there are none, or two make targets for the same output.
    """

    def __init__(self, task: PoseTask, *, generators: Sequence[TargetGenerator]) -> None:
        if not generators:
            raise ValueError("generators must have at least one entry")
        names = [name for generator in generators for name in generator.output_names]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"generators: several make targets for {', '.join(map(repr, twice))}")
        self.generators = list(generators)
        self.output_names = tuple(names)

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets for each of `output_names`."""
        rest = stride / 2 - stride // 2
        if rest:
            labels = _moved(labels, rest)
        targets: dict[str, Target] = {}
        for generator in self.generators:
            targets |= generator(stride, outputs, labels)
        return targets


def _moved(labels: Labels, pixels: float) -> Labels:
    """The same labels with keypoints moved to the right and down."""
    shift = labels.keypoints.new_tensor((pixels, pixels, 0.0))
    return replace(
        labels,
        keypoints=labels.keypoints + shift,
        unique_keypoints=labels.unique_keypoints + shift,
    )
