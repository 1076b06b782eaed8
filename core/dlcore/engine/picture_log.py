"""Which images of a run pictures are made of, when, and who gets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch

from dlcore.data.device import Normalization, to_device
from dlcore.data.loader import BatchLoader
from dlcore.data.seeding import picture_generator
from dlcore.engine.pictures import Image
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.setup import RunData
from dlcore.interfaces import Batch, Logger, Record, Runner

TRAIN, TEST = "train", "test"


class Pictures:
    """Pictures of one training and one test image, the same ones throughout a run.

    The choice follows from the seed, so that a resumed run shows the same images. The training
    image is seen through the transforms of the training, with the same draw each time. Nothing is
    loaded or drawn unless somebody asks.

    Args:
        runner: Makes the pictures.
        data: Where the images come from.
        device: Where the model is.
        memory_format: Layout of the images on the device.
        seed: Of the run.
    """

    def __init__(
        self,
        runner: Runner,
        data: RunData,
        device: torch.device,
        memory_format: torch.memory_format,
        seed: int,
    ) -> None:
        self._runner = runner
        self._data = data
        self._device = device
        self._memory_format = memory_format
        self._seed = seed
        self._batches: dict[str, Batch] = {}
        self._failed = False

    def tell(
        self,
        loggers: Iterable[Logger],
        epoch: int,
        tell: Callable[[Logger, Callable[[], None]], None],
    ) -> None:
        """Give pictures to the loggers that want some after this epoch.

        A failure to make them is warned about once and ends them: it never stops training.

        Args:
            loggers: Those of the run.
            epoch: The epoch that has been done.
            tell: Lets a logger do something that may fail.
        """
        wanting = [logger for logger in loggers if _wants(logger, epoch)]
        if not wanting or self._failed:
            return
        try:
            images = self.take()
        except Exception as error:  # noqa: BLE001  whatever a plugin's part may raise
            self._failed = True
            LOGGER.warning(
                "no pictures are made any more: %s: %s",
                type(error).__name__,
                str(error).partition("\n")[0],
            )
            return
        for logger in wanting:
            tell(logger, lambda logger=logger: logger.log_images(images, epoch))  # type: ignore[misc]

    def take(self) -> dict[str, Image]:
        """Pictures (H, W, 3) by name, such as "images/test.pose", of the model as it is now."""
        model, devices = self._runner.model, [self._device] if self._device.type == "cuda" else []
        was_training = model.training
        model.eval()
        try:
            with torch.random.fork_rng(devices=devices), torch.no_grad():
                return {
                    f"images/{split}.{name}": picture
                    for split, loader, records, normalization in self._splits()
                    for name, picture in self._of(split, loader, records, normalization).items()
                }
        finally:
            model.train(was_training)

    def _splits(self) -> Iterable[tuple[str, BatchLoader, Sequence[Record], Normalization]]:
        data = self._data
        yield TRAIN, data.train, data.train_records, data.train_normalization
        if data.evaluation is not None:
            yield TEST, data.evaluation, data.eval_records, data.eval_normalization

    def _of(
        self,
        split: str,
        loader: BatchLoader,
        records: Sequence[Record],
        normalization: Normalization,
    ) -> dict[str, Image]:
        if split not in self._batches:
            self._batches[split] = loader.sample(choose(records, split, self._seed))
        batch = self._batches[split]
        image = batch.images[0].permute(1, 2, 0).contiguous().numpy()
        on_device = to_device(batch, self._device, normalization, self._memory_format)
        return self._runner.pictures(on_device, image)


def choose(records: Sequence[Record], split: str, seed: int) -> int:
    """The position of the record that pictures are made of: one with labels, if there are any."""
    labelled = [
        index
        for index, record in enumerate(records)
        if (record.keypoints[..., 2] > 0).any() or (record.unique_keypoints[..., 2] > 0).any()
    ]
    candidates = labelled or range(len(records))
    rng = picture_generator(seed, (TRAIN, TEST).index(split))
    return candidates[int(rng.integers(len(candidates)))]


def _wants(logger: Logger, epoch: int) -> bool:
    interval = logger.image_interval
    return interval is not None and interval > 0 and epoch % interval == 0
