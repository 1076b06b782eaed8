"""Trackers: who is who from frame to frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Tracker(ABC):
    """Keeps individuals in their rows through the frames of one video.

    A subclass takes `task` (`PoseTask`) as its only positional parameter and options as
    keyword-only ones. One object sees one video.
    """

    @abstractmethod
    def update(self, poses: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        """Who was found in the next frame.

        Called for every frame, also for those in which nothing was found.

        Args:
            poses: (N, K, 3) x, y, score in pixels, in any order; NaN for keypoints that were not
                found. It stays as it is.

        Returns:
            (N,) the individual that each pose is of, an index into `PoseTask.individuals`; each
            individual at most once, and -1 for a pose that is to be left out.
        """
        raise NotImplementedError
