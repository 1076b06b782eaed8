from __future__ import annotations

import http.server
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
import yaml
from PIL import Image

from dlcore.interfaces import RunInfo
from dlcore.testing import check_logger
from dlcore_plugins.loggers import wandb_start
from dlcore_plugins.loggers.csv_logger import CSVLogger
from dlcore_plugins.loggers.wandb_logger import WandbLogger
from tests.plugins.loggers import wandb_files


class FakeRun:
    """What `wandb.init` gives, as far as it is used."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.offline = arguments.get("mode") == "offline"
        self.dir = f"{arguments['dir']}/wandb/offline-run-1/files"
        self.step = 0
        self.metrics: dict[str, str] = {}
        self.entity, self.project, self.id = "team", arguments["project"], "abc123"
        self.config = FakeConfig()
        self.logged: list[tuple[dict[str, float], int]] = []
        self.finished = False

    def define_metric(self, name: str, step_metric: str) -> None:
        self.metrics[name] = step_metric

    def log(self, metrics: dict[str, float], step: int) -> None:
        assert step >= self.step, "W&B drops this"
        self.step = step
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
    monkeypatch.setattr(wandb_start, "_obstacle", lambda url: "")
    # W&B remembers the mode of the first run of a process, whatever the environment says later.
    monkeypatch.setenv("WANDB_MODE", "online")
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
    assert run.logged == [({"losses/train.total_loss": 0.5, "epoch": 3}, 3)]
    assert run.metrics == {"*": "epoch"}
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
    WandbLogger(RunInfo(tmp_path, resumed_from_epoch=4, resumed=True))
    WandbLogger(RunInfo(tmp_path, resumed_from_epoch=0, resumed=True))
    WandbLogger(RunInfo(tmp_path))

    assert [run.arguments.get("id") for run in runs] == [None, "abc123", "abc123", None]
    assert runs[1].arguments["resume"] == "allow"


def test_a_branch_that_the_user_asks_for_is_taken(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path))
    WandbLogger(RunInfo(tmp_path, resumed=True), fork_from="abc123?_step=2")

    assert "id" not in runs[1].arguments
    assert "resume" not in runs[1].arguments


def test_two_of_them_are_runs_of_their_own(tmp_path: Path, runs: list[FakeRun]) -> None:
    for number in (1, 2):
        WandbLogger(RunInfo(tmp_path, number=number))
    WandbLogger(RunInfo(tmp_path, stage="detector", number=2))

    assert all(run.arguments["reinit"] == "create_new" for run in runs)
    assert sorted(path.name for path in tmp_path.glob("*.yaml")) == [
        "wandb_info-2.yaml",
        "wandb_info-detector-2.yaml",
        "wandb_info.yaml",
    ]


def test_epochs_that_are_done_again_are_not_dropped(tmp_path: Path, runs: list[FakeRun]) -> None:
    logger = WandbLogger(RunInfo(tmp_path, resumed_from_epoch=4, resumed=True))
    runs[0].step = 7  # the server has epochs up to 6

    logger.log({"a": 0.5}, 5)

    assert runs[0].logged == [({"a": 0.5, "epoch": 5}, 7)]


@pytest.mark.parametrize(("known", "sent"), [(0, [1, 2, 3]), (3, [3]), (9, [])])
def test_a_resumed_run_sends_what_the_server_does_not_have(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    runs: list[FakeRun],
    known: int,
    sent: list[int],
) -> None:
    table = CSVLogger(RunInfo(tmp_path))
    for epoch in (1, 2, 3, 4):
        table.log({"a": epoch / 4} | ({"b": 1.0} if epoch == 2 else {}), epoch)
    monkeypatch.setattr(
        FakeRun, "step", property(lambda self: known, lambda *_: None), raising=False
    )

    WandbLogger(RunInfo(tmp_path, resumed_from_epoch=3, resumed=True))

    assert [values["epoch"] for values, _ in runs[0].logged] == sent
    expected = {1: {"a": 0.25}, 2: {"a": 0.5, "b": 1.0}, 3: {"a": 0.75}}
    assert [values for values, _ in runs[0].logged] == [
        expected[epoch] | {"epoch": epoch} for epoch in sent
    ]


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


def test_the_settings_of_the_user_come_first(tmp_path: Path, runs: list[FakeRun]) -> None:
    WandbLogger(RunInfo(tmp_path))
    WandbLogger(RunInfo(tmp_path), settings={"init_timeout": 99, "quiet": True})

    first, second = (run.arguments["settings"] for run in runs)
    assert first.init_timeout == wandb_start.INIT_SECONDS
    assert first.finish_timeout == wandb_start.FINISH_SECONDS
    assert (second.init_timeout, second.quiet) == (99, True)


@pytest.mark.parametrize("obstacle", ["no key for W&B is known", "W&B cannot be reached"])
def test_where_the_server_is_not_to_be_had_the_run_is_kept(
    tmp_path: Path,
    runs: list[FakeRun],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    obstacle: str,
) -> None:
    monkeypatch.setattr(wandb_start, "_obstacle", lambda url: obstacle)

    with caplog.at_level(logging.WARNING):
        WandbLogger(RunInfo(tmp_path))

    assert runs[0].arguments["mode"] == "offline"
    assert f"{obstacle}: the W&B run is kept in {tmp_path}/wandb/offline-run-1" in caplog.text
    assert f"wandb sync {tmp_path}/wandb/offline-run-1" in caplog.text


def test_where_the_server_refuses_the_run_is_kept(
    tmp_path: Path,
    runs: list[FakeRun],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    online = wandb.init

    def init(**arguments: Any) -> Any:
        if arguments.get("mode") != "offline":
            raise wandb.errors.CommError("no such team\nmore")
        return online(**arguments)

    init.__wrapped__ = online  # type: ignore[attr-defined]
    monkeypatch.setattr(wandb, "init", init)

    with caplog.at_level(logging.WARNING):
        WandbLogger(RunInfo(tmp_path))

    assert runs[0].arguments["mode"] == "offline"
    assert "W&B does not start the run (no such team)" in caplog.text


def test_the_mode_of_the_user_is_kept(
    tmp_path: Path, runs: list[FakeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_start, "_obstacle", lambda url: "no key")
    WandbLogger(RunInfo(tmp_path), mode="disabled")
    monkeypatch.setenv("WANDB_MODE", "offline")
    WandbLogger(RunInfo(tmp_path))

    assert [run.arguments["mode"] for run in runs] == ["disabled", "offline"]


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with `status`, or, where that is 0, much too late."""

    status = 401

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.status:
            time.sleep(3)
        self.send_response(self.status or 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(wandb_start, "PROBE_SECONDS", 0.5)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "has_key", "obstacle"),
    [
        (401, True, ""),
        (401, False, "no key for W&B is known"),
        (503, True, "HTTP Error 503"),
        (0, True, "does not answer within 0.5 s"),
    ],
)
def test_the_server_is_asked_first(
    monkeypatch: pytest.MonkeyPatch, server: str, status: int, has_key: bool, obstacle: str
) -> None:
    monkeypatch.setattr(Server, "status", status)
    monkeypatch.setattr(wandb_start, "_has_key", lambda: has_key)

    start = time.monotonic()
    found = wandb_start._obstacle(server)

    assert time.monotonic() - start < 2
    assert (obstacle in found) if obstacle else not found


def test_a_server_that_is_not_there_is_found_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_start, "_has_key", lambda: True)

    assert "http://127.0.0.1:9" in wandb_start._obstacle("http://127.0.0.1:9")
    assert "cannot be reached" in wandb_start._obstacle("no address")


def test_at_a_terminal_without_a_key_nobody_is_asked(tmp_path: Path, server: str) -> None:
    pty = pytest.importorskip("pty")
    script = """
        import logging, sys
        from pathlib import Path
        from dlcore.interfaces import RunInfo
        from dlcore_plugins.loggers.wandb_logger import WandbLogger

        logging.basicConfig(level=logging.WARNING)
        assert sys.stdin.isatty() and sys.stdout.isatty()
        logger = WandbLogger(RunInfo(Path(sys.argv[1])), project_name="mice")
        logger.log({"a": 0.5}, 1)
        logger.close()
        """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    environment |= {"HOME": str(tmp_path), "WANDB_BASE_URL": server}
    master, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env=environment,
        )
    finally:
        os.close(master)
        os.close(terminal)

    assert done.returncode == 0, done.stderr
    assert "no key for W&B is known" in done.stderr
    assert "wandb sync" in done.stderr
    [run] = wandb_files.runs(tmp_path)
    assert [row["a"] for row in wandb_files.history(run)] == [0.5]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.mark.usefixtures("quiet")
def test_what_the_real_library_writes_can_be_read_back(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "project_name": "mice",
        "mode": "offline",
        "tags": ["a", "b"],
        "group": "pilot",
        "notes": "a note",
        "save_code": True,
        "image_log_interval": 2,
    }
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 2] = (250, 10, 90)
    first = WandbLogger(RunInfo(tmp_path), run_name="first", **options)
    second = WandbLogger(RunInfo(tmp_path, stage="detector"), run_name="first", **options)
    first.log_config({"net_type": "resnet_50", "runner": {"gpus": [0, 1], "device": None}})
    first.log({"losses/train.total_loss": 0.1 + 0.2}, 1)
    second.log({"other": 1.0}, 1)
    first.log({"losses/train.total_loss": 0.25, "metrics/test.rmse": float("nan")}, 2)
    first.log_images({"images/train.pose": picture}, 2)
    second.close()
    first.close()

    one, two = sorted(wandb_files.runs(tmp_path), key=lambda r: wandb_files.about(r).display_name)
    run = wandb_files.about(one)
    assert (run.display_name, run.project, run.run_group, run.notes) == (
        "first",
        "mice",
        "pilot",
        "a note",
    )
    assert list(run.tags) == ["a", "b"]
    assert wandb_files.about(two).display_name == "first-detector"
    assert wandb_files.config(one)["runner"] == {"gpus": [0, 1], "device": None}
    rows = wandb_files.history(one)
    assert [(row["_step"], row["epoch"]) for row in rows] == [(1, 1), (2, 2)]
    assert [row["losses/train.total_loss"] for row in rows] == [0.1 + 0.2, 0.25]
    assert [row.get("other") for row in wandb_files.history(two)] == [1.0]
    stored = one / "files" / rows[1]["images/train.pose.path"]
    with Image.open(stored) as image:
        assert np.array_equal(np.asarray(image), picture)
    kinds = {record.WhichOneof("record_type") for record in wandb_files.records(one)}
    assert {"environment", "stats"} <= kinds, "no system metrics"


@pytest.mark.usefixtures("quiet")
def test_keeps_the_logger_contract(tmp_path: Path) -> None:
    check_logger(WandbLogger(RunInfo(tmp_path), mode="offline"))
