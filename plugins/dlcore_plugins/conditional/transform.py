"""The transform that makes the rough poses which conditional models are trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore.interfaces.geometry import transform_points
from dlcore_plugins.conditional.sampling import GenerativeSampler

Probability = Annotated[float, Field(ge=0, le=1)]


class GenerativeSampling(Transform):
    """Sets a sample's conditions: a rough pose of its first individual, made from the true one.

    It has its place in the config, `data.gen_sampling`, and is only used where a model takes
    conditions. Other individuals of the image are neighbours, with which the first can be confused.

    Args:
        keypoint_sigmas: Sigma of each keypoint in the object keypoint similarity, or one for all.
        keypoints_symmetry: Pairs of keypoints, by index or name, that may be confused. By default
            those of the dataset; where it has none, random pairs in each pose.
        jitter_prob: How often a keypoint is moved a little.
        swap_prob: How often it is put near that of another animal.
        inv_prob: How often it is put near its counterpart.
        miss_prob: How often it is put far off.

    Raises:
        ValueError: If an option is wrong.
    """

    order: ClassVar[float] = 1.0

    def __init__(
        self,
        task: PoseTask,
        *,
        keypoint_sigmas: float | Sequence[float] = 0.1,
        keypoints_symmetry: Sequence[Sequence[int | str]] | None = None,
        jitter_prob: Probability = 0.16,
        swap_prob: Probability = 0.08,
        inv_prob: Probability = 0.03,
        miss_prob: Probability = 0.10,
    ) -> None:
        self._sampler = GenerativeSampler(
            task,
            keypoint_sigmas=keypoint_sigmas,
            keypoints_symmetry=keypoints_symmetry,
            jitter_prob=jitter_prob,
            swap_prob=swap_prob,
            inv_prob=inv_prob,
            miss_prob=miss_prob,
        )
        self._num_keypoints = task.num_keypoints

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with conditions (K, 3); zeros where it has no individual."""
        if not len(sample.keypoints):
            sample.conditions = np.zeros((self._num_keypoints, 3), np.float32)
            return sample
        everyone = sample.keypoints
        if sample.neighbours is not None and len(sample.neighbours):
            moved = transform_points(sample.neighbours, sample.to_network)
            everyone = np.concatenate([everyone, moved])
        height, width = sample.image.shape[:2]
        box = sample.boxes[0] if (sample.boxes[0, 2:] > 0).all() else None
        sample.conditions = self._sampler(everyone, 0, (width, height), rng, box=box)
        return sample
