"""Conditional top-down data: the rough pose that a model starts from, and the crop around it."""

from __future__ import annotations

import numpy as np

from dlcore.data.samples import boxes_from_keypoints
from dlcore.interfaces.transform import Transform
from dlcore.interfaces.types import LABELLED, Sample

SAMPLER = "gen_sampling"
"""The transform that makes rough poses from true ones; its options are `data.gen_sampling`."""


class RoughPose(Transform):
    """Lets a sampler make the conditions of a sample, and puts the box around them.

    Args:
        sampler: Sets `sample.conditions` from the only individual and its neighbours.
        margin: Pixels added around the conditions.
    """

    order = 1.0

    def __init__(self, sampler: Transform, margin: float) -> None:
        self.sampler = sampler
        self.margin = margin

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with conditions; the box stays where no keypoint has one."""
        sample = self.sampler(sample, rng)
        assert sample.conditions is not None
        if (sample.conditions[:, 2] > LABELLED).any():
            height, width = sample.image.shape[:2]
            boxes = boxes_from_keypoints(sample.conditions[None], (width, height), self.margin)
            if (boxes[0, 2:] > 0).all():
                sample.boxes = boxes
        return sample
