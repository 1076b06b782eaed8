"""The door to albumentations, which changes pixel values here and never points or boxes."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

import numpy as np

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.validation import probability


class LibraryTransform(Transform):
    """Applies a transform of albumentations to the image, now and then.

    The library is imported when a transform is made, in the main process, so that forked workers
    need not import it again. It is seeded anew for each image.
    """

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        self.p = probability("p", p)
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks a server
        import albumentations

        self._pipeline = albumentations.Compose([self.make(albumentations)], strict=True)

    @abstractmethod
    def make(self, library: Any) -> Any:
        """The transform of the library, always on (`p=1`)."""
        raise NotImplementedError

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with another image of the same size."""
        if rng.random() >= self.p:
            return sample
        self._pipeline.set_random_seed(int(rng.integers(2**32)))
        image = self._pipeline(image=np.ascontiguousarray(sample.image))["image"]
        assert image.shape == sample.image.shape
        assert image.dtype == np.uint8
        sample.image = image
        return sample
