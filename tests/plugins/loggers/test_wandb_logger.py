from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml

from dlcore.interfaces import RunInfo
from dlcore_plugins.loggers.wandb_logger import WandbLogger


class FakeRun:
    """What `wandb.init` gives, as far as it is used."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.entity, self.project, self.id = "team", arguments["project"], "abc123"
        self.config = FakeConfig()
        self.logged: list[tuple[dict[str, float], int]] = []
        self.finished = False

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.logged.append((metrics, step))

    def finish(self) -> None:
        self.finished = True


class FakeConfig(dict[str, Any]):
    def update(self, values: Any, allow_val_change: bool = False) -> None:  # type: ignore[override]
        assert allow_val_change
        super().update(values)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """The runs that are started; nothing reaches W&B, and there is a key."""
    started: list[FakeRun] = []
    signature = wandb.init

    def init(**arguments: Any) -> FakeRun:
        started.append(FakeRun(arguments))
        return started[-1]

    init.__wrapped__ = signature  # type: ignore[attr-defined]
    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr("dlcore_plugins.loggers.wandb_logger._has_key", lambda: True)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return started


def test_a_run_is_started_told_and_finished(tmp_path: Path, runs: list[FakeRun]) -> None:
    logger = WandbLogger(RunInfo(tmp_path), project_name="mice", run_name="first", tags=["a"])
    logger.log_config({"net_type": "resnet_50"})
    logger.log({"losses/train.total_loss": 0.5}, 3)
    logger.close()

    (run,) = runs
    assert run.arguments["project"] == "mice"
    assert run.arguments["name"] == "first"
    assert run.arguments["tags"] == ["a"]
    assert run.arguments["dir"] == str(tmp_path)
    assert run.config == {"net_type": "resnet_50"}
    assert run.logged == [({"losses/train.total_loss": 0.5}, 3)]
    assert run.finished


def test_the_file_of_deeplabcut_says_which_run_it_is(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path))

    info = yaml.safe_load((tmp_path / "wandb_info.yaml").read_text())
    assert info == {"entity": "team", "project": "deeplabcut", "run_id": "abc123"}


def test_the_detector_has_a_run_of_its_own(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path, stage="detector"), run_name="first")

    assert runs[0].arguments["name"] == "first-detector"
    assert not (tmp_path / "wandb_info.yaml").exists()


def test_resuming_goes_on_in_the_same_run(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path))
    WandbLogger(RunInfo(tmp_path, resumed_from_epoch=4))
    WandbLogger(RunInfo(tmp_path))

    assert [run.arguments.get("id") for run in runs] == [None, "abc123", None]
    assert runs[1].arguments["resume"] == "allow"


def test_arguments_may_be_nested_or_not(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path), wandb_kwargs={"entity": "team"}, group="g")

    assert (runs[0].arguments["entity"], runs[0].arguments["group"]) == ("team", "g")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": "mice"}, "project: write project_name instead"),
        ({"wandb_kwargs": {"name": "first"}}, "name: write run_name instead"),
        ({"tag": ["a"]}, "tag: wandb.init does not take this argument; did you mean 'tags'"),
        ({"tags": ["a"], "wandb_kwargs": {"tags": []}}, "tags: stands in the logger's block and"),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: Path, runs: list[FakeRun], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        WandbLogger(RunInfo(tmp_path), **options)
    assert not runs


def test_without_a_key_the_run_is_kept_and_nobody_is_asked(
    tmp_path: Path,
    runs: list[FakeRun],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("dlcore_plugins.loggers.wandb_logger._has_key", lambda: False)

    with caplog.at_level(logging.WARNING):
        WandbLogger(RunInfo(tmp_path))

    assert runs[0].arguments["mode"] == "offline"
    assert "no key for W&B is known" in caplog.text


def test_without_a_network_the_run_is_kept(
    tmp_path: Path,
    runs: list[FakeRun],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    online = wandb.init

    def init(**arguments: Any) -> Any:
        if arguments.get("mode") != "offline":
            raise wandb.errors.CommError("no such host\nmore")
        return online(**arguments)

    init.__wrapped__ = online  # type: ignore[attr-defined]
    monkeypatch.setattr(wandb, "init", init)

    with caplog.at_level(logging.WARNING):
        WandbLogger(RunInfo(tmp_path))

    assert runs[0].arguments["mode"] == "offline"
    assert "W&B cannot be reached (no such host)" in caplog.text


def test_the_mode_of_the_user_is_kept(
    tmp_path: Path, runs: list[FakeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcore_plugins.loggers.wandb_logger._has_key", lambda: False)

    WandbLogger(RunInfo(tmp_path), mode="disabled")

    assert runs[0].arguments["mode"] == "disabled"


def test_pictures_that_are_not_sent_are_mentioned(
    tmp_path: Path, runs: list[FakeRun], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        WandbLogger(RunInfo(tmp_path), image_log_interval=5)

    assert "image_log_interval" in caplog.text


def test_the_real_library_writes_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlcore.testing import check_logger

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")

    check_logger(WandbLogger(RunInfo(tmp_path), project_name="mice", tags=["test"]))

    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 1
