"""Pose estimators: images to poses, bottom-up, top-down and conditional top-down.

Legend: N individuals, K keypoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from dlcore.data.device import Normalization, to_device
from dlcore.engine.detector_runner import Detections, detect
from dlcore.inference.conditions import rescore, usable
from dlcore.inference.images import Floats, InputImage, one_box, whole_image
from dlcore.inference.network import Computation, PoseNetwork, Preparation
from dlcore.interfaces import Batch, Detector, PoseTask, Prediction

Prepared = TypeVar("Prepared")
"""What an estimator makes of images before it needs its networks."""


class PoseEstimator(ABC, Generic[Prepared]):
    """Finds poses in images.

    Attributes:
        task: The names behind the numbers.
    """

    task: PoseTask

    @abstractmethod
    def prepare(self, images: Sequence[InputImage]) -> Prepared:
        """What can be done before a network is needed; may run beside `run`, in a thread."""
        raise NotImplementedError

    @abstractmethod
    def run(self, images: Sequence[InputImage], prepared: Prepared) -> list[Prediction]:
        """What is found in the images, in their order.

        Args:
            images: Any number, of any sizes.
            prepared: What `prepare` made of them.
        """
        raise NotImplementedError

    def predict(self, images: Sequence[InputImage]) -> list[Prediction]:
        """What is found in the images, in their order."""
        return self.run(images, self.prepare(images))

    def stream(self, images: Iterable[InputImage], chunk: int) -> Iterator[Prediction]:
        """What is found in any number of images; as `pairs`, without the images."""
        for _, prediction in self.pairs(images, chunk):
            yield prediction

    def pairs(
        self, images: Iterable[InputImage], chunk: int
    ) -> Generator[tuple[InputImage, Prediction], None, None]:
        """Any number of images, which are read ahead while the networks work, and what is found.

        Args:
            images: Taken one by one, in a thread; never more than two chunks wait in memory.
            chunk: How many are worked on at once.
        """
        source = iter(images)

        def next_chunk() -> tuple[list[InputImage], Any]:
            some = list(islice(source, chunk))
            return some, self.prepare(some) if some else None

        with ThreadPoolExecutor(max_workers=1) as thread:
            coming = thread.submit(next_chunk)
            while True:
                some, prepared = coming.result()
                if not some:
                    return
                coming = thread.submit(next_chunk)
                yield from zip(some, self.run(some, prepared), strict=True)


class BottomUpEstimator(PoseEstimator[list[Batch]]):
    """Finds all individuals of an image at once.

    Args:
        network: Sees whole images.
    """

    def __init__(self, network: PoseNetwork) -> None:
        self.network = network
        self.task = network.task

    def prepare(self, images: Sequence[InputImage]) -> list[Batch]:
        """Batches of whole images."""
        samples = [whole_image(image.pixels, self.task) for image in images]
        return self.network.prepare(samples)

    def run(self, images: Sequence[InputImage], prepared: list[Batch]) -> list[Prediction]:
        """What is found in the images, in their order."""
        return self.network.run(prepared)


class BoxFinder:
    """Finds the boxes of individuals.

    Args:
        detector: With its weights.
        preparation: What images go through.
        normalization: Bytes to the detector's input.
        computation: Where and how.
        max_boxes: The best so many of each image are kept.
        min_score: Boxes with a lower score are not.
    """

    def __init__(
        self,
        detector: Detector,
        preparation: Preparation,
        normalization: Normalization,
        computation: Computation,
        *,
        max_boxes: int,
        min_score: float = 0.0,
    ) -> None:
        self.detector = detector
        computation.place(detector)
        self._prepare = preparation
        self.normalization = normalization
        self.computation = computation
        self.max_boxes = max_boxes
        self.min_score = min_score

    def prepare(self, images: Sequence[InputImage]) -> list[Batch]:
        """Batches of whole images."""
        return self._prepare([whole_image(image.pixels, self._prepare.task) for image in images])

    @torch.inference_mode()
    def run(self, batches: Sequence[Batch]) -> list[Detections]:
        """The boxes of each image, best first, in its pixels."""
        found: dict[int, Detections] = {}
        for batch in batches:
            where = self.computation
            moved = to_device(batch, where.device, self.normalization, where.memory_format)
            with where.precision.autocast():
                detections = detect(
                    self.detector, moved, max_detections=self.max_boxes, min_score=self.min_score
                )
            found |= zip(batch.indices.tolist(), detections, strict=True)
        return [found[index] for index in sorted(found)]


class TopDownEstimator(PoseEstimator[list[Batch]]):
    """Finds the boxes of individuals first, then the pose in each.

    Args:
        network: Sees crops of one individual.
        task: The names behind the numbers, all individuals included.
        finder: Looks for boxes in images that come without; None if all come with theirs.
    """

    def __init__(self, network: PoseNetwork, task: PoseTask, finder: BoxFinder | None) -> None:
        self.network = network
        self.task = task
        self.finder = finder

    def prepare(self, images: Sequence[InputImage]) -> list[Batch]:
        """Batches for the detector."""
        unseen = [image for image in images if image.boxes is None]
        if not unseen:
            return []
        if self.finder is None:
            raise ValueError("images without boxes need a detector")
        return self.finder.prepare(unseen)

    def run(self, images: Sequence[InputImage], prepared: list[Batch]) -> list[Prediction]:
        """What is found in the images, in their order; nothing where there is no box."""
        detected = iter(self.finder.run(prepared)) if self.finder is not None and prepared else None
        found: list[Detections] = []
        for image in images:
            if image.boxes is not None:
                found.append(_given(image.boxes))
            else:
                assert detected is not None
                found.append(next(detected))
        samples = [
            one_box(image.pixels, box, self.network.task)
            for image, detections in zip(images, found, strict=True)
            for box in detections.boxes
        ]
        poses = iter(self.network.run(self.network.prepare(samples)))
        return [
            _together([next(poses) for _ in detections.boxes], detections, self.task)
            for detections in found
        ]


class ConditionalEstimator(PoseEstimator[Any]):
    """Corrects rough poses, each in a crop around it.

    Args:
        network: Sees crops of one individual with its rough pose.
        task: The names behind the numbers, all individuals included.
        source: Another model that finds the rough poses of images that come without, or a function
            that knows them; None if all come with theirs.
        margin: Pixels added around a rough pose.
    """

    def __init__(
        self,
        network: PoseNetwork,
        task: PoseTask,
        source: PoseEstimator[Any] | Callable[[InputImage], Floats] | None,
        *,
        margin: float,
    ) -> None:
        self.network = network
        self.task = task
        self.source = source
        self.margin = margin

    def prepare(self, images: Sequence[InputImage]) -> Any:
        """What the model that finds the rough poses needs, if there is one."""
        if isinstance(self.source, PoseEstimator):
            return self.source.prepare([i for i in images if i.conditions is None])
        return None

    def run(self, images: Sequence[InputImage], prepared: Any) -> list[Prediction]:
        """What is found in the images, in their order; nothing where there is no rough pose."""
        kept, samples = [], []
        for image, rough in zip(images, self._rough_poses(images, prepared), strict=True):
            height, width = image.pixels.shape[:2]
            conditions, boxes = usable(rough, (width, height), self.margin)
            kept.append((conditions, boxes))
            samples += [
                one_box(image.pixels, box, self.network.task, pose)
                for pose, box in zip(conditions, boxes, strict=True)
            ]
        found = iter(self.network.run(self.network.prepare(samples)))
        predictions = []
        for conditions, boxes in kept:
            one = _together([next(found) for _ in boxes], _given(boxes), self.task)
            one.poses = rescore(one.poses, conditions[:, :, 2]).astype(np.float64)
            predictions.append(one)
        return predictions

    def _rough_poses(self, images: Sequence[InputImage], prepared: Any) -> Iterator[Floats]:
        made: Iterator[Prediction] = iter(())
        if isinstance(self.source, PoseEstimator):
            unknown = [image for image in images if image.conditions is None]
            made = iter(self.source.run(unknown, prepared) if unknown else ())
        for image in images:
            if image.conditions is not None:
                yield image.conditions
            elif isinstance(self.source, PoseEstimator):
                yield next(made).poses
            elif self.source is not None:
                yield self.source(image)
            else:
                raise ValueError("images without conditions need a source of them")


def _given(boxes: Floats) -> Detections:
    """Boxes that no detector found; those without an area are left out."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    boxes = boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)]
    return Detections(boxes, np.full(len(boxes), np.nan))


def _together(found: Sequence[Prediction], detections: Detections, task: PoseTask) -> Prediction:
    """The poses of the crops of one image: one row for each box."""
    poses = np.full((len(found), task.num_keypoints, 3), np.nan)
    for row, one in enumerate(found):
        if len(one.poses):
            poses[row] = one.poses[0]
    return Prediction(poses, boxes=detections.boxes, box_scores=detections.scores)
