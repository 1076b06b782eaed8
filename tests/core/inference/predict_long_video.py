"""Predict a video with a model that costs nothing, and tell the most memory that was in use.

python -m tests.core.inference.predict_long_video VIDEO FOLDER
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np

from dlcore.engine.allocator import keep_freed_memory
from dlcore.inference.estimators import PoseEstimator
from dlcore.inference.predicting import predict_source
from dlcore.inference.prediction_setup import PredictionOptions
from dlcore.inference.sources import VideoSource
from dlcore.interfaces import PoseTask, Prediction
from dlcore.plugin_host import PluginHost
from tests.core.inference.stub_model import stub_model

TASK = PoseTask(tuple(f"k{n}" for n in range(8)), individuals=("a", "b"))
WRITERS = ("deeplabcut", "coco", "parquet", "labelled_video")


class TwoInNoTime(PoseEstimator):
    """Two individuals that change their order from frame to frame; remembers nothing."""

    def __init__(self):
        self.task = TASK
        self._turn = 0

    def prepare(self, images):
        return None

    def run(self, images, prepared):
        return [self._one() for _ in images]

    def _one(self):
        self._turn += 1
        poses = np.full((2, 8, 3), 0.9)
        poses[:, :, :2] = np.arange(16).reshape(8, 2) * 2
        poses[1, :, 0] += 25
        return Prediction(poses[:: (-1) ** self._turn])


def most_memory() -> int:
    """Bytes of this process; unlike `ru_maxrss` not those of the one that started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(video: Path, folder: Path) -> None:
    folder.mkdir()
    keep_freed_memory()  # as where a real model predicts
    model = stub_model(PluginHost.from_entry_points(), folder, TASK, batch_size=8)
    model.estimator = TwoInNoTime()
    options = PredictionOptions(output=folder, writers=[{"type": name} for name in WRITERS])
    report = predict_source(model, VideoSource(video), options)
    sizes = {path.name: path.stat().st_size for path in report.files}
    told = {"bytes": most_memory(), "frames": report.frames, "files": sizes}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
