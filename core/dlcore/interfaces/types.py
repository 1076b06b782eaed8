"""What components exchange.

Conventions, here and everywhere: pixels are `(x, y)` with x to the right and y down; the origin is
the top-left corner of the image that the network sees, and the centre of output cell (row i,
column j) at stride s is `((j + 0.5) * s, (i + 0.5) * s)`. Boxes are `(x, y, width, height)` unless
a name says `xyxy`. Visibility: 2 visible, 1 occluded but labelled, 0 not labelled or outside the
image, -1 not defined for this dataset (masked from every loss).

Legend: B images, N individuals, K keypoints, U unique keypoints, C channels, h w output cells,
H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Tensor

    FloatArray = npt.NDArray[np.floating[Any]]

LABELLED = 0
"""A keypoint counts as labelled where its visibility is greater than this."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What one feature map looks like.

    Attributes:
        channels: Number of channels.
        stride: Input pixels per cell along one axis, at least 1.
        tokens: None for a map. Otherwise the number of vectors (B, tokens, channels) that a neck
            gives instead of one; `stride` is that of the map it made them from.
    """

    channels: int
    stride: int
    tokens: int | None = None


Features = FeatureSpec | tuple[FeatureSpec, ...]
"""One map, or several with the finest first."""


@dataclass(frozen=True, slots=True)
class PoseTask:
    """What is to be found in the images: the names behind the numbers.

    Attributes:
        keypoints: Names of the keypoints of each individual, in channel order.
        unique_keypoints: Names of keypoints that exist once per image, not once per individual.
        individuals: Names of the individuals; their number is the most that a model predicts.
        with_identity: Whether an individual's name means the same animal in every image.
        skeleton: Pairs of indices into `keypoints` that are drawn as limbs.
        symmetries: Pairs of indices into `keypoints` that swap in a mirror image.
    """

    keypoints: tuple[str, ...]
    unique_keypoints: tuple[str, ...] = ()
    individuals: tuple[str, ...] = ("individual_1",)
    with_identity: bool = False
    skeleton: tuple[tuple[int, int], ...] = ()
    symmetries: tuple[tuple[int, int], ...] = ()

    @property
    def num_keypoints(self) -> int:
        """K, the keypoints per individual."""
        return len(self.keypoints)

    @property
    def num_individuals(self) -> int:
        """N, the most individuals in one image."""
        return len(self.individuals)


@dataclass(slots=True)
class Labels:
    """The truth about a batch, in pixels of the network's input.

    Individuals that an image does not have are padding: rows of zeros whose `individual_ids` are
    -1.

    Attributes:
        keypoints: (B, N, K, 3) x, y, visibility.
        unique_keypoints: (B, U, 3) x, y, visibility; U may be 0.
        individual_ids: (B, N) int64, index into `PoseTask.individuals`, -1 for padding.
        boxes: (B, N, 4) x, y, width, height; zeros for padding.
        areas: (B, N) square pixels of the boxes, at least 1.
    """

    keypoints: Tensor
    unique_keypoints: Tensor
    individual_ids: Tensor
    boxes: Tensor
    areas: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Labels:
        """The same labels on another device."""
        moved = {
            f.name: getattr(self, f.name).to(device, non_blocking=non_blocking)
            for f in fields(self)
        }
        return replace(self, **moved)

    def pin_memory(self) -> Labels:
        """The same labels in page-locked memory, for asynchronous copies to a GPU."""
        return replace(self, **{f.name: getattr(self, f.name).pin_memory() for f in fields(self)})


@dataclass(slots=True)
class Batch:
    """Images and what is known about them.

    Attributes:
        images: (B, 3, H, W), RGB. uint8 while it travels; float and normalised for the network.
        labels: The truth in pixels of `images`.
        to_network: (B, 2, 3) float64, the affine map from pixels of the original image to pixels of
            `images`: `(x', y') = M @ (x, y, 1)`.
        indices: (B,) int64, positions of the records in their split.
        conditions: (B, K, 3) x, y, score in pixels of `images`: the rough poses that a conditional
            model starts from; None for other models.
    """

    images: Tensor
    labels: Labels
    to_network: Tensor
    indices: Tensor
    conditions: Tensor | None = None

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, for asynchronous copies to a GPU."""
        return Batch(
            self.images.pin_memory(),
            self.labels.pin_memory(),
            self.to_network.pin_memory(),
            self.indices.pin_memory(),
            None if self.conditions is None else self.conditions.pin_memory(),
        )


class Target(NamedTuple):
    """What one output should have been.

    Attributes:
        target: Same shape and device as the output.
        weights: Broadcasts to the output; 0 where the output does not matter. 1.0 for everywhere.
    """

    target: Tensor
    weights: Tensor | float = 1.0


Outputs = Mapping[str, "Tensor"]
"""What a head gives: output name to tensor, usually (B, *, h, w)."""


@dataclass(slots=True)
class Record:
    """One labelled image of a dataset, in pixels of the image as it is stored.

    Attributes:
        image: Path of the image file.
        size: (width, height) in pixels, None when it is only known after decoding.
        keypoints: (N, K, 3) float32: x, y, visibility; N is the number of labelled individuals.
        unique_keypoints: (U, 3) float32.
        individual_ids: (N,) int64, index into `PoseTask.individuals`.
        boxes: (N, 4) float32 x, y, width, height, or None to derive them from the keypoints.
        key: What identifies the image in files, for example ("labeled-data", "m4s1", "img0.png").
        neighbours: (M, K, 3) float32, the other individuals of the image, where the record is of
            one individual; None where it is of the whole image.
    """

    image: Path
    size: tuple[int, int] | None
    keypoints: FloatArray
    unique_keypoints: FloatArray
    individual_ids: npt.NDArray[np.int64]
    boxes: FloatArray | None = None
    key: tuple[str, ...] = ()
    neighbours: FloatArray | None = None


@dataclass(slots=True)
class Sample:
    """One image on its way through the transforms, in pixels of `image` as it is now.

    Transforms keep the number and order of points and boxes. A point that leaves the image keeps
    its coordinates; its visibility is settled at the end. A point whose place is no longer known
    (covered, lost in a warp) is NaN.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        keypoints: (N, K, 3) float32: x, y, visibility.
        unique_keypoints: (U, 3) float32.
        boxes: (N, 4) float32 x, y, width, height.
        individual_ids: (N,) int64.
        to_network: (2, 3) float64, original image to `image`: `(x', y') = M @ (x, y, 1)`.
        neighbours: (M, K, 3) float32, as in the record: in pixels of the original image.
        conditions: (K, 3) float32 x, y, score: the rough pose that a conditional model starts from.
    """

    image: npt.NDArray[np.uint8]
    keypoints: FloatArray
    unique_keypoints: FloatArray
    boxes: FloatArray
    individual_ids: npt.NDArray[np.int64]
    to_network: npt.NDArray[np.float64]
    neighbours: FloatArray | None = None
    conditions: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a logger is told about the run it belongs to.

    Attributes:
        folder: Where the run writes its files.
        stage: "pose" or "detector".
        resumed_from_epoch: Last epoch that is already on record; 0 for a new run.
        resumed: Whether the run goes on, be it in its first epoch.
        number: Which of the config's loggers of the same type this one is, from 1.
    """

    folder: Path
    stage: str = "pose"
    resumed_from_epoch: int = 0
    resumed: bool = False
    number: int = 1


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """What a dataset is told besides its own options.

    Attributes:
        config_path: The `pytorch_config.yaml` of the run, when there is one.
        metadata: The `metadata` section of that file: names of bodyparts and individuals, paths.
        box_margin: Pixels added on each side when boxes are made from keypoints.
    """

    config_path: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    box_margin: int = 20
