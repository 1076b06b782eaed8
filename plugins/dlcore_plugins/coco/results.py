"""Write predictions as COCO results: one JSON list with an entry for each individual found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import numpy as np

from dlcore import DataError
from dlcore.interfaces import PredictedFrame, PredictionJob, PredictionWriter

_DECIMALS = 4


class COCOResultsWriter(PredictionWriter):
    """Writes results as COCO's tools read them.

    An entry has `image_id`, `category_id`, `keypoints` (x, y, score of each; zeros for one that was
    not found), `score`, and where they are known `bbox`, `track_id` (from 1) and `file_name`.
    Unique keypoints have no place in this format.

    Args:
        job: What is predicted.
        annotations: A COCO file that knows the images, for their ids by file name. By default the
            id is the number of the frame, or of the image in its list.
        category_id: Of every entry.
    """

    def __init__(
        self, job: PredictionJob, *, annotations: str | None = None, category_id: int = 1
    ) -> None:
        self.category_id = category_id
        self._job = job
        self._ids = None if annotations is None else _image_ids(Path(annotations))
        self._kept = job.tracker is not None or job.task.with_identity
        self._file: TextIO | None = None
        self._first = True

    @property
    def files(self) -> tuple[str, ...]:
        """One JSON file."""
        return (f"{self._job.source.stem}.coco.json",)

    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames."""
        file = self._open()
        for frame in frames:
            for entry in self._entries(frame):
                file.write("[\n" if self._first else ",\n")
                file.write(json.dumps(entry, allow_nan=False))  # `dump` is ten times slower
                self._first = False

    def close(self) -> None:
        """End the list."""
        with self._open() as file:
            file.write("[]\n" if self._first else "\n]\n")

    def abandon(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> TextIO:
        if self._file is None:
            self._file = (self._job.folder / self.files[0]).open("w", encoding="utf-8")
        return self._file

    def _entries(self, frame: PredictedFrame) -> list[dict[str, Any]]:
        found = frame.prediction
        entries = []
        for row, pose in enumerate(np.asarray(found.poses, np.float64)):
            there = np.isfinite(pose).all(axis=1)
            if not there.any():
                continue
            entry: dict[str, Any] = {
                "image_id": self._image_id(frame),
                "category_id": self.category_id,
                "keypoints": np.where(there[:, None], pose, 0).round(_DECIMALS).ravel().tolist(),
                "score": round(float(pose[there, 2].mean()), _DECIMALS),
            }
            if found.boxes is not None and np.isfinite(found.boxes[row]).all():
                entry["bbox"] = np.asarray(found.boxes[row]).round(_DECIMALS).tolist()
            if self._kept:
                entry["track_id"] = row + 1
            if frame.name:
                entry["file_name"] = frame.name
            entries.append(entry)
        return entries

    def _image_id(self, frame: PredictedFrame) -> int:
        if self._ids is None or not frame.name:
            return frame.number
        name = PurePosixPath(Path(frame.name).as_posix())
        for start in range(len(name.parts)):
            known = self._ids.get("/".join(name.parts[start:]))
            if known is not None:
                return known
        raise DataError(
            f"the image {frame.name!r} is not among those of `annotations`; name the file that "
            f"has it, or leave `annotations` out"
        )


def _image_ids(path: Path) -> dict[str, int]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(image["file_name"]): int(image["id"]) for image in content["images"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"annotations: {str(path)!r} is not a COCO file ({error})") from error
