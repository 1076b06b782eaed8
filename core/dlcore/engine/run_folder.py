"""The folder of a run: what is written into it, and how."""

from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from dlcore.errors import TrainingError

LOGGER = logging.getLogger("dlcore")

RESOLVED_CONFIG = "resolved_config.yaml"
MANIFEST = "manifest.json"
CONFIG_PATH = "config_path"
"""The key of the manifest that says which file the run was started with."""
PROVENANCE = "provenance"
"""The key that says where the values of the config come from that are no defaults."""
ENVIRONMENT = "environment"
"""The key that says what the run was made on and with, besides plugins."""
LOG_FILE = "train.txt"
REPORT = "report.html"
EVALUATIONS = "evaluation_*"
"""What evaluating a run leaves: files, and folders of pictures."""


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file so that it is either the old one or the new one, whole.

    Args:
        path: Where it goes.
        write: Writes the content to an open binary file.

    Raises:
        TrainingError: If the disk is full or the folder cannot be written to. The old file, if
            there was one, is still there.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        hint = "free some space" if getattr(error, "errno", None) == errno.ENOSPC else ""
        hint = hint or "check the free space and your rights there, or choose another --output"
        raise TrainingError(
            f"cannot write {str(path)!r}: {reason}; files written before are untouched; {hint}"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text so that it is either the old one or the new one, whole.

    Raises:
        TrainingError: As `write_atomically`.
    """

    def write(file: IO[bytes]) -> None:
        file.write(text.encode("utf-8"))

    write_atomically(path, write)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class RunFolder:
    """The folder that a run leaves.

    Args:
        path: Made if it does not exist.

    Raises:
        TrainingError: If it cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"cannot make the output folder {str(path)!r}: {error.strerror}; "
                f"choose another with --output"
            ) from error
        probe = path / ".dlcore-write-test"
        write_atomically(probe, lambda file: None)
        probe.unlink()

    def write_yaml(self, name: str, values: Mapping[str, Any], comment: str) -> None:
        """Write plain types as YAML under a one-line comment."""
        text = f"# {comment}\n" + yaml.safe_dump(dict(values), sort_keys=False, width=100)
        write_text(self.path / name, text)

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write plain types as JSON."""
        text = json.dumps(values, indent=2) + "\n"
        write_text(self.path / name, text)

    @contextmanager
    def log_to_file(self, name: str = LOG_FILE) -> Iterator[None]:
        """Append what the "dlcore" logger says to a file of the folder."""
        handler = logging.FileHandler(self.path / name, encoding="utf-8")
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
        )
        LOGGER.addHandler(handler)
        try:
            yield
        finally:
            LOGGER.removeHandler(handler)
            handler.close()
