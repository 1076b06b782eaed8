"""TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import PositiveInt

from dlcore.interfaces import Logger, RunInfo
from dlcore_plugins.loggers.csv_logger import recorded_epochs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLogger(Logger):
    """Writes event files for TensorBoard: numbers, the configuration and pictures.

    They lie in the run's folder, `pose` and `detector` each in a folder of its own; look at them
    with `tensorboard --logdir FOLDER`. A resumed run goes on in the same curves: what it has
    written after the epoch that it starts from is hidden. Needs the package tensorboard:
    `pip install 'dlcore[tensorboard]'`.

    Args:
        run: Where the files go.
        image_log_interval: Write pictures every so many epochs: a training and a test image with
            their labels, predictions and maps. Null for none.
        folder_name: Name of the folder in that of the run; a second logger adds a number to it.

    Raises:
        ValueError: If tensorboard is not installed, or an option makes no sense.
    """

    def __init__(
        self,
        run: RunInfo,
        *,
        image_log_interval: PositiveInt | None = None,
        folder_name: str = "tensorboard",
    ) -> None:
        if Path(folder_name).name != folder_name or folder_name in ("", ".."):
            raise ValueError(f"folder_name must be a name without folders, got {folder_name!r}")
        self.image_interval = image_log_interval
        number = f"-{run.number}" if run.number > 1 else ""
        self.folder = run.folder / f"{folder_name}{number}" / run.stage
        is_new = not any(self.folder.glob("events.out.tfevents.*"))
        self._first_step = run.resumed_from_epoch + 1 if run.resumed else 0
        self._writer = _open_writer(self.folder, 0 if is_new else self._first_step)
        if run.resumed and is_new:
            for epoch, values in recorded_epochs(run).items():
                self.log(values, epoch)

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Show the configuration as text."""
        text = yaml.safe_dump(dict(config), sort_keys=False)
        indented = "\n".join(f"    {line}" for line in text.splitlines())
        self._writer.add_text("config", indented, self._first_step)
        self._writer.flush()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write the numbers of one epoch."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def log_images(self, images: Mapping[str, npt.NDArray[np.uint8]], step: int) -> None:
        """Write the pictures of one epoch."""
        for name, image in images.items():
            self._writer.add_image(name, image, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _open_writer(folder: Path, first_step: int) -> SummaryWriter:
    """A writer that hides what other files of the folder hold from a step on.

    Raises:
        ValueError: If tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            f"TensorBoardLogger needs the package tensorboard ({error}); install it with: "
            f"pip install 'dlcore[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder), purge_step=first_step)
