"""Trained models for programs: images in, poses out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.data.images import read_image
from dlcore.engine.devices import resolve_device
from dlcore.engine.snapshots import list_snapshots
from dlcore.inference.exported import TORCH
from dlcore.inference.images import InputImage
from dlcore.inference.loading import load_estimator
from dlcore.inference.sources import VideoSource
from dlcore.inference.streaming import predict_frames
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import PoseTask, Prediction
from dlcore.plugin_host import PluginHost

Image = npt.NDArray[np.uint8]


class TrainedModel:
    """A trained model, ready to find poses.

    Args:
        run: What was trained.
        snapshot: Of the pose model: "best", "last", an epoch or a file.
        detector_snapshot: Of the detector of a top-down model, likewise.
        conditions: Where a conditional model finds rough poses; by default as its config says.
        device: "auto", "cpu", "cuda", ...; by default as the config says.
        precision: "fp32", "bf16", "fp16", or "auto" for the fastest that the device has.
        batch_size: Images at once; that of the training by default.
        backend: "torch", or what runs the file that `dlcore export` made of the pose model.
        exported: That file; by default the one in the folder of the run.

    Attributes:
        run: What was trained.
        snapshot: The file of its weights.
        detector_snapshot: That of its detector; None if none of its own is used.
        batch_size: Images at once.
        backend: What computes the poses.

    Raises:
        DlcoreError: If a snapshot is missing or does not fit, or conditions cannot be had.
    """

    def __init__(
        self,
        run: TrainedRun,
        *,
        snapshot: str | Path | None = None,
        detector_snapshot: str | Path | None = None,
        conditions: str | Mapping[str, Any] | None = None,
        device: str | None = None,
        precision: str = "fp32",
        batch_size: int | None = None,
        backend: str | Mapping[str, Any] = TORCH,
        exported: str | Path | None = None,
    ) -> None:
        config = run.loaded.config
        self.run = run
        self.snapshot = run.snapshot(snapshot)
        self.detector_snapshot = _detector_snapshot(run, detector_snapshot)
        self.conditions = conditions
        self.precision = precision
        self.backend = backend
        self.batch_size = batch_size or config.train_settings.images_at_once
        self.estimator = load_estimator(
            run,
            snapshot=snapshot,
            detector_snapshot=detector_snapshot,
            conditions=conditions,
            device=resolve_device(device or config.device, config.runner.gpus),
            precision=precision,
            batch_size=batch_size,
            backend=backend,
            exported=exported,
        )

    @property
    def task(self) -> PoseTask:
        """The names of what it finds: keypoints, unique keypoints, individuals."""
        return self.run.task

    def predict(self, images: Sequence[Image | str | Path] | Image) -> list[Prediction]:
        """The poses in images.

        Args:
            images: (H, W, 3) arrays of bytes, RGB, or files; or one array (B, H, W, 3).

        Raises:
            DataError: If a file cannot be read.
            ValueError: If an array is no image.
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[Image | str | Path]) -> Iterator[Prediction]:
        """The poses in any number of images, which are taken as they are needed."""
        return self.estimator.stream(map(_input, images), self.batch_size)

    def video(
        self, path: str | Path, start: int = 0, stop: int | None = None
    ) -> Iterator[Prediction]:
        """The poses in the frames of a video, one after the other; nothing in a broken frame.

        Args:
            path: The file.
            start: Number of the first frame, from 0.
            stop: Number of the frame before which to end; None for the end of the video.

        Raises:
            DataError: If the video cannot be decoded at all.
        """
        source = VideoSource(Path(path))
        frames = source.frames(start, stop)
        for _, prediction in predict_frames(
            self.estimator, frames, self.batch_size, size=source.size
        ):
            yield prediction


def load_model(
    run: str | Path,
    *,
    plugins: Iterable[str | Path] = (),
    overrides: Sequence[str] = (),
    **options: Any,
) -> TrainedModel:
    """The trained model of a run.

    Args:
        run: The folder of a run, or a config file beside snapshots of dlcore or DeepLabCut.
        plugins: Files of unpackaged plugins that it needs.
        overrides: As for `--set`.
        options: As for `TrainedModel`: `snapshot`, `detector_snapshot`, `conditions`, `device`,
            `precision`, `batch_size`, `backend`, `exported`.

    Raises:
        DlcoreError: If there is no such run or snapshot, or a plugin is missing.
    """
    host = PluginHost.from_entry_points()
    for plugin in plugins:
        host.add_file(Path(plugin))
    return TrainedModel(TrainedRun.open(Path(run), host, overrides), **options)


def _input(image: Image | str | Path) -> InputImage:
    if isinstance(image, (str, Path)):
        return InputImage(read_image(Path(image)), Path(image).parts)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"an image must be an array (H, W, 3) of uint8, RGB, got {image.shape} {image.dtype}"
        )
    return InputImage(image)


def _detector_snapshot(run: TrainedRun, which: str | Path | None) -> Path | None:
    if run.loaded.config.method != "td":
        return None
    if which is None and not list_snapshots(run.folder, run.stage("detector").snapshot_prefix):
        return None
    return run.snapshot(which, "detector")
