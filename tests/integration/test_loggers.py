"""Loggers of a top-down run that is interrupted twice, read back; loggers that fail."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcore.cli.main import main
from dlcore.testing.animals import write_animals
from tests.integration.conftest import small_config
from tests.plugins.loggers import wandb_files

PLUGIN = '''
import os
import signal

import torch
from torch import nn

from dlcore import Component, hookimpl
from dlcore.interfaces import Detector, Logger


@hookimpl
def register_detectors():
    return [Component("MeanBox", f"{__name__}:MeanBox")]


@hookimpl
def register_loggers():
    return [
        Component("Interrupts", f"{__name__}:Interrupts"),
        Component("FailsLater", f"{__name__}:FailsLater"),
    ]


class MeanBox(Detector):
    """Learns where the mean box is."""

    def __init__(self, *, pretrained: bool | str | None = None):
        super().__init__()
        self.net = nn.Conv2d(3, 4, 8, 8)

    def forward(self, images, targets=None):
        seen = self.net(images).mean((2, 3)).sigmoid()
        if self.training:
            truth = torch.stack([t["boxes"].mean(0) for t in targets])
            return {"box": (seen - truth / 100).abs().mean()}, []
        corners = torch.cat([80 * seen[:, :2] - 40, 40 + 80 * seen[:, 2:]], dim=1)
        return {}, [
            {"boxes": box[None], "scores": torch.ones(1), "labels": torch.ones(1).long()}
            for box in corners
        ]


class Interrupts(Logger):
    """Interrupts a stage after its second epoch."""

    def __init__(self, run, *, stage: str):
        self.armed = run.stage == stage and not run.resumed

    def log(self, metrics, step):
        if self.armed and step == 2:
            os.kill(os.getpid(), signal.SIGINT)


class FailsLater(Logger):
    """Fails in the second epoch, at its numbers or at its pictures."""

    def __init__(self, run, *, at: str):
        self.at = at
        self.image_interval = 1

    def log(self, metrics, step):
        if self.at == "numbers" and step == 2:
            raise ConnectionError("the server is gone")

    def log_images(self, images, step):
        if self.at == "pictures" and step == 2:
            raise ConnectionError("the server is gone")
'''

pytestmark = pytest.mark.slow

STAGES = {"pose": "learning_stats.csv", "detector": "learning_stats_detector.csv"}
PICTURES = {
    "pose": [
        f"images/{split}.{name}"
        for split in ("test", "train")
        for name in ("bodypart_heatmap", "bodypart_locref", "pose")
    ],
    "detector": ["images/test.boxes", "images/train.boxes"],
}
EPOCHS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images with two animals each, and the plugin."""
    folder = tmp_path_factory.mktemp("loggers")
    write_animals(folder / "animals", num_train=4, num_test=2, size=64, num_animals=2)
    (folder / "logger_test_plugin.py").write_text(textwrap.dedent(PLUGIN))
    return folder


@pytest.fixture(scope="module")
def train(folder):
    """Runs `dlcore train` with a small top-down model and gives the exit code."""

    def run(output, loggers, *more, **changes: Any) -> int:
        config = small_config(folder / "animals")
        config["method"] = "td"
        config["plugins"] = ["logger_test_plugin.py"]
        for section in config["data"].values():
            section["top_down_crop"] = {"width": 64, "height": 64}
        config["train_settings"] |= {"epochs": EPOCHS, "batch_size": 2}
        config["logger"] = loggers
        config["detector"] = {
            "model": {"type": "MeanBox"},
            "data": {"train": {"normalize_images": True}},
            "runner": {
                "precision": "fp32",
                "eval_interval": 2,
                "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
                "snapshots": {"max_snapshots": 5, "save_epochs": 1},
            },
            "train_settings": {"epochs": EPOCHS, "batch_size": 2},
        }
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config | changes, sort_keys=False))
        return main(["train", str(path), "--output", str(output), *more])

    return run


@pytest.fixture(scope="module")
def run(train, folder):
    """The folder of a run whose stages were both interrupted, and then resumed."""
    output = folder / "run"
    wandb = {"type": "WandbLogger", "mode": "offline", "settings": {"silent": True}}
    loggers = [
        wandb | {"project_name": "mice", "run_name": "a", "tags": ["b"], "image_log_interval": 2},
        wandb | {"project_name": "rats"},
        {"type": "TensorBoardLogger", "image_log_interval": 2},
        {"type": "CSVLogger"},
        {"type": "Interrupts", "stage": "detector"},
        {"type": "Interrupts", "stage": "pose"},
    ]
    assert train(output, loggers) == 130
    assert train(output, loggers, "--resume") == 130
    assert train(output, loggers, "--resume") == 0
    return output


def table(run, stage):
    """The rows of the table, by epoch: what was measured."""
    frame = pd.read_csv(run / STAGES[stage], index_col="step", float_precision="round_trip")
    return {
        epoch: {name: value for name, value in row.items() if not math.isnan(value)}
        for epoch, row in frame.iterrows()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_has_every_epoch_and_empty_cells_where_nothing_was_measured(run, stage):
    text = (run / STAGES[stage]).read_text()
    header, *rows = [line.split(",") for line in text.splitlines()]

    assert header == ["step", *sorted(header[1:])]
    assert [row[0] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    for number, row in enumerate(rows, start=1):
        for name, cell in zip(header[1:], row[1:], strict=True):
            measured = name.startswith("losses/train") or number % 2 == 0
            assert (cell != "") == measured, f"epoch {number}, {name}: {cell!r}"


def of_stage(run, project, stage):
    """W&B's folders of a stage, the oldest first."""
    return [
        path
        for path in wandb_files.runs(run)
        if wandb_files.about(path).project == project
        and wandb_files.about(path).display_name.endswith("-detector") == (stage == "detector")
    ]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("project", ["mice", "rats"])
def test_the_last_part_of_a_resumed_wandb_run_holds_all_of_it(run, project, stage):
    parts = of_stage(run, project, stage)
    assert len(parts) == 2
    assert len({wandb_files.about(part).run_id for part in parts}) == 1, "one run goes on"

    rows = {row["epoch"]: row for row in wandb_files.history(parts[-1])}
    expected = table(run, stage)
    assert rows.keys() == expected.keys()
    for epoch, values in expected.items():
        assert rows[epoch]["_step"] == epoch
        assert {name: rows[epoch][name] for name in values} == values


def test_each_wandb_run_is_known_by_its_file(run):
    for name, project, stage in (
        ("wandb_info.yaml", "mice", "pose"),
        ("wandb_info-2.yaml", "rats", "pose"),
        ("wandb_info-detector.yaml", "mice", "detector"),
        ("wandb_info-detector-2.yaml", "rats", "detector"),
    ):
        info = yaml.safe_load((run / name).read_text())
        assert info["project"] == project
        assert info["run_id"] == wandb_files.about(of_stage(run, project, stage)[0]).run_id


@pytest.mark.parametrize("stage", STAGES)
def test_wandb_has_the_configuration_and_the_pictures(run, stage):
    for part in of_stage(run, "mice", stage):
        about = wandb_files.about(part)
        assert list(about.tags) == ["b"]
        assert wandb_files.config(part)["train_settings"]["epochs"] == EPOCHS
        assert wandb_files.config(part)["method"] == "td"
    pictures = [
        (row["epoch"], name.removesuffix(".path"))
        for part in of_stage(run, "mice", stage)
        for row in wandb_files.history(part)
        for name in row
        if name.endswith(".path")
    ]
    assert sorted(pictures) == sorted((epoch, name) for epoch in (2, 4) for name in PICTURES[stage])
    for part in of_stage(run, "rats", stage):
        assert not any(n.startswith("images/") for row in wandb_files.history(part) for n in row)


@pytest.mark.parametrize("stage", STAGES)
def test_tensorboard_shows_the_same(run, stage):
    limits = {"images": 0, "scalars": 0, "tensors": 0}
    events = EventAccumulator(str(run / "tensorboard" / stage), size_guidance=limits)
    events.Reload()

    shown: dict[int, dict[str, float]] = {}
    for name in events.Tags()["scalars"]:
        for event in events.Scalars(name):
            if not math.isnan(event.value):
                shown.setdefault(event.step, {})[name] = event.value
    expected = table(run, stage)
    assert shown.keys() == expected.keys()
    for epoch, values in expected.items():
        assert shown[epoch] == pytest.approx(values, rel=1e-6)
    assert sorted(events.Tags()["images"]) == PICTURES[stage]
    for name in PICTURES[stage]:
        assert [event.step for event in events.Images(name)] == [2, 4]
    texts = [t.tensor_proto.string_val[0].decode() for t in events.Tensors("config/text_summary")]
    assert all("method: td" in text for text in texts)


def test_pictures_show_the_same_image_after_resuming(run):
    """The captioned halves with the targets do not depend on what the model has learnt."""
    events = EventAccumulator(str(run / "tensorboard" / "pose"), size_guidance={"images": 0})
    events.Reload()
    import cv2
    import numpy as np

    for split in ("train", "test"):
        before, after = (
            cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
            for event in events.Images(f"images/{split}.bodypart_heatmap")
        )
        half = before.shape[1] // 2
        np.testing.assert_array_equal(before[:, :half], after[:, :half])
        assert (before[:, half:] != after[:, half:]).any()


@pytest.mark.parametrize("at", ["numbers", "pictures"])
def test_a_logger_that_fails_is_dropped_and_training_goes_on(train, tmp_path, capsys, at):
    code = train(tmp_path / "run", {"type": "FailsLater", "at": at}, "--stage", "detector")

    assert code == 0
    stderr = capsys.readouterr().err
    message = "logger FailsLater failed and is not used any more: ConnectionError: the server is"
    assert stderr.count(message) == 1
    assert len((tmp_path / "run" / STAGES["detector"]).read_text().splitlines()) == EPOCHS + 1


def test_the_place_of_a_wrong_option_is_told(train, tmp_path, capsys):
    loggers = [{"type": "CSVLogger"}, {"type": "TensorBoardLogger", "folder_name": "../x"}]

    assert train(tmp_path / "run", loggers) != 0

    stderr = capsys.readouterr().err
    assert "logger[1].folder_name" in stderr or "logger.1.folder_name" in stderr
    assert "folder_name must be a name without folders, got '../x'" in stderr
