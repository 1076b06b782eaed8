"""Datasets: where labelled images come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from dlcore.interfaces.types import PoseTask, Record


class PoseDataset(ABC):
    """Reads labelled images and their split.

    A subclass takes `context` (`DatasetContext`) as its only positional parameter and what YAML
    may set under `dataset:` as keyword-only ones.

    Attributes:
        task: The names of keypoints and individuals.
        evaluation_writer: The name of the evaluation writer for other programs that use these
            data, if there is one: `dlcore evaluate --split all` writes their files, too.
    """

    task: PoseTask
    evaluation_writer: str | None = None

    @classmethod
    def options_for_config(cls, config_path: Path) -> dict[str, Any] | None:
        """Options for the data that a config file belongs to by its place, or None.

        `dlcore train FILE` asks every dataset when the file has no `dataset` block.
        """
        return None

    @classmethod
    def options_for_source(cls, source: Path) -> dict[str, Any] | None:
        """Options to read `source`, a folder or a file that a user names, or None if it is not one.

        `dlcore init SOURCE` asks every dataset.
        """
        return None

    def config_path(self) -> Path | None:
        """Where a config for these data belongs by convention, or None.

        `dlcore init` writes there unless told otherwise. The folder exists.
        """
        return None

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, of "train", "test" and perhaps "validation"."""
        raise NotImplementedError

    @abstractmethod
    def records(self, split: str) -> list[Record]:
        """The labelled images of a split.

        Raises:
            DataError: If files are missing or damaged; the message names file and remedy.
        """
        raise NotImplementedError
