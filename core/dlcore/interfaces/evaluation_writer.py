"""Evaluation writers: where the comparison of a model with labels goes, besides the run's folder.

Legend: K keypoints, U unique keypoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcore.interfaces.prediction import Prediction
from dlcore.interfaces.types import PoseTask, Record


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """What a writer is told about what it is to write.

    Attributes:
        folder: Where the snapshots of the run are.
        task: The names behind the numbers.
        splits: What is evaluated, of "train", "test" and "validation".
        pcutoff: Score from which a keypoint counts: one for all, or one for each keypoint and then
            for each unique one.
        config_path: The config that the model was trained with, where it was then.
        config: What is in it, as plain types.
        snapshot: The file of the model's weights.
        detector_snapshot: Likewise; None if no trained detector was used.
    """

    folder: Path
    task: PoseTask
    splits: tuple[str, ...]
    pcutoff: float | Sequence[float]
    config_path: Path
    snapshot: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    detector_snapshot: Path | None = None


@dataclass(frozen=True, slots=True)
class EvaluatedSplit:
    """What was found in the images of a split, and how good it is.

    Attributes:
        name: "train", "test" or "validation".
        records: The labelled images.
        predictions: In the same order, in pixels of the images.
        metrics: `rmse`, `rmse_pcutoff`, `mAP`, `mAR` and others; NaN for what there is not.
        keypoint_errors: (K + U) mean error in pixels of each keypoint and then each unique one.
    """

    name: str
    records: Sequence[Record]
    predictions: Sequence[Prediction]
    metrics: Mapping[str, float]
    keypoint_errors: Sequence[float]


class EvaluationWriter(ABC):
    """Writes evaluations for other programs.

    A subclass takes `job` (`EvaluationJob`) as its only positional parameter and options as
    keyword-only ones. Its constructor writes nothing, and refuses with `ValueError` splits that it
    cannot do with: nothing has been computed yet.
    """

    @abstractmethod
    def write(self, evaluated: Sequence[EvaluatedSplit]) -> list[Path]:
        """Write the evaluations of all splits of the job, in its order.

        What an earlier evaluation of the same snapshot has left is replaced.

        Returns:
            The files.

        Raises:
            DataError: If they cannot be written.
        """
        raise NotImplementedError
