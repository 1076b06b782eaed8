"""A model that reads the number of a frame from its brightness, in no time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from dlcore.inference.estimators import PoseEstimator
from dlcore.interfaces import PoseTask, Prediction
from tests.videos import brightness

ONE = PoseTask(("snout", "tail"))
TWO = PoseTask(("snout", "tail"), individuals=("a", "b"))


class StubEstimator(PoseEstimator):
    """Finds individual i at x = brightness + 100 i, y = height of what it sees.

    Two individuals change their order from frame to frame.
    """

    def __init__(self, task, interrupt_at=None):
        self.task = task
        self.seen = []
        self.interrupt_at = interrupt_at

    def prepare(self, images):
        return None

    def run(self, images, prepared):
        return [self._one(image) for image in images]

    def _one(self, image):
        number = brightness(image.pixels)
        if number == self.interrupt_at:
            raise KeyboardInterrupt
        self.seen.append(number)
        poses = np.zeros((self.task.num_individuals, 2, 3))
        for index, pose in enumerate(poses):
            pose[:] = (number + 100 * index, image.pixels.shape[0], 0.9)
            pose[1, 1] += 10
        return Prediction(poses[::-1] if number % 2 else poses)


def stub_model(host, folder: Path, task=ONE, batch_size=4, interrupt_at=None):
    """What `predict_source` needs of a `TrainedModel`."""
    snapshot = folder / "run" / "snapshot-best-010.pt"
    snapshot.parent.mkdir(exist_ok=True)
    if not snapshot.exists():
        snapshot.touch()
    run = SimpleNamespace(
        host=host,
        place=snapshot.parent / "pytorch_config.yaml",
        loaded=SimpleNamespace(values={"net_type": "resnet_50"}),
    )
    return SimpleNamespace(
        run=run,
        task=task,
        snapshot=snapshot,
        detector_snapshot=None,
        conditions=None,
        precision="fp32",
        backend="torch",
        batch_size=batch_size,
        estimator=StubEstimator(task, interrupt_at),
    )
