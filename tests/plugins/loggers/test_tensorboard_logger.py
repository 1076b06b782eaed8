from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from dlcore.interfaces import RunInfo
from dlcore.testing import check_logger
from dlcore_plugins.loggers.csv_logger import CSVLogger
from dlcore_plugins.loggers.tensorboard_logger import TensorBoardLogger

LOSS = "losses/train.total_loss"


@pytest.fixture(autouse=True)
def first_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number event files from 0: TensorBoard reads them by name, in which 10 comes before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


def read(folder: Path) -> Any:
    """What TensorBoard shows of a folder."""
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


def test_keeps_the_logger_contract(tmp_path: Path) -> None:
    check_logger(TensorBoardLogger(RunInfo(tmp_path), image_log_interval=1))


def test_numbers_configuration_and_pictures_can_be_read_back(tmp_path: Path) -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 2] = (250, 10, 90)
    logger = TensorBoardLogger(RunInfo(tmp_path), image_log_interval=2)
    logger.log_config({"net_type": "resnet_50", "runner": {"gpus": [0, 1], "device": None}})
    logger.log({LOSS: 0.5}, 1)
    logger.log({LOSS: 0.25, "metrics/test.rmse": math.nan}, 2)
    logger.log_images({"images/train.pose": picture}, 2)
    logger.close()

    events = read(tmp_path / "tensorboard" / "pose")
    assert [(e.step, e.value) for e in events.Scalars(LOSS)] == [(1, 0.5), (2, 0.25)]
    [missing] = events.Scalars("metrics/test.rmse")
    assert missing.step == 2
    assert math.isnan(missing.value)
    [event] = events.Images("images/train.pose")
    assert event.step == 2
    with Image.open(io.BytesIO(event.encoded_image_string)) as image:
        assert np.array_equal(np.asarray(image), picture)
    [config] = events.Tensors("config/text_summary")
    text = config.tensor_proto.string_val[0].decode()
    assert text.startswith("    net_type: resnet_50\n    runner:\n      gpus:")


def test_what_was_logged_can_be_seen_before_the_run_has_ended(tmp_path: Path) -> None:
    logger = TensorBoardLogger(RunInfo(tmp_path))
    logger.log({"a": 1.0}, 1)

    assert scalars(logger.folder, "a") == [(1, 1.0)]
    logger.close()


def test_resuming_hides_what_is_done_again(tmp_path: Path) -> None:
    first = TensorBoardLogger(RunInfo(tmp_path))
    for step in (1, 2, 3, 4):
        first.log({"a": step / 8}, step)
        first.log_images({"picture": np.full((2, 2, 3), step, np.uint8)}, step)
    first.close()

    second = TensorBoardLogger(RunInfo(tmp_path, resumed_from_epoch=2, resumed=True))
    second.log_config({})
    second.log({"a": 7.0}, 3)
    second.close()

    assert scalars(second.folder, "a") == [(1, 0.125), (2, 0.25), (3, 7.0)]
    assert [event.step for event in read(second.folder).Images("picture")] == [1, 2]


def test_a_new_run_hides_what_an_old_one_left(tmp_path: Path) -> None:
    old = TensorBoardLogger(RunInfo(tmp_path))
    old.log({"old": 1.0, "a": 1.0}, 1)
    old.close()

    new = TensorBoardLogger(RunInfo(tmp_path))
    new.log({"a": 2.0}, 1)
    new.close()

    assert scalars(new.folder, "a") == [(1, 2.0)]
    assert scalars(new.folder, "old") == []


def test_a_logger_that_comes_later_has_the_epochs_before_it(tmp_path: Path) -> None:
    table = CSVLogger(RunInfo(tmp_path))
    for step in (1, 2, 3):
        table.log({"a": step / 8}, step)

    logger = TensorBoardLogger(RunInfo(tmp_path, resumed_from_epoch=2, resumed=True))
    logger.log({"a": 7.0}, 3)
    logger.close()

    assert scalars(logger.folder, "a") == [(1, 0.125), (2, 0.25), (3, 7.0)]


def test_stages_and_loggers_have_folders_of_their_own(tmp_path: Path) -> None:
    for info in (
        RunInfo(tmp_path),
        RunInfo(tmp_path, stage="detector"),
        RunInfo(tmp_path, number=2),
    ):
        TensorBoardLogger(info).close()

    found = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*/*")}
    assert found == {"tensorboard/pose", "tensorboard/detector", "tensorboard-2/pose"}


@pytest.mark.parametrize("name", ["../events", "/tmp/events", "", ".."])
def test_the_files_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="folder_name must be a name without folders, got"):
        TensorBoardLogger(RunInfo(tmp_path), folder_name=name)


def test_without_tensorboard_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(ValueError, match=r"pip install 'dlcore\[tensorboard\]'"):
        TensorBoardLogger(RunInfo(tmp_path))
    assert list(tmp_path.iterdir()) == []
