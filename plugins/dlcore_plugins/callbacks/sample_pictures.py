"""Pictures of what the model makes of a few images, from epoch to epoch."""

from __future__ import annotations

from typing import Annotated

from PIL import Image
from pydantic import Field

from dlcore.interfaces import Callback, EpochEnd, TrainingRun


class SamplePictures(Callback):
    """Saves pictures of truth and prediction every few epochs.

    A training and a test image are chosen once per run: their keypoints, labelled as rings and
    predicted as crosses, and the maps of each head beside what they should be. They lie in the
    run's folder, in `pictures/epoch-010` (`pictures-detector` for a detector).

    Args:
        interval: Epochs between pictures; there are also some of the first epoch and of the last
            that is planned.
    """

    order = 100

    def __init__(self, *, interval: Annotated[int, Field(ge=1)] = 10) -> None:
        self._interval = interval

    def on_epoch_end(self, run: TrainingRun, event: EpochEnd) -> None:
        """Save, if it is time."""
        if event.epoch not in (1, run.epochs) and event.epoch % self._interval:
            return
        stem = "pictures-detector" if run.info.stage == "detector" else "pictures"
        folder = run.info.folder / stem / f"epoch-{event.epoch:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in run.pictures().items():
            file = name.removeprefix("images/").replace("/", "-")
            Image.fromarray(picture).save(folder / f"{file}.png")
