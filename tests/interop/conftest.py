"""DeepLabCut beside dlcore: only where DLCORE_PEER says which Python has it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcore.config.loading import load_config
from dlcore.engine.request import RunRequest
from dlcore.engine.run import train


@pytest.fixture(scope="session")
def peer(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs a command of the reference's script in the Python that has DeepLabCut.

    What the command prints comes back parsed.
    """
    python = os.environ.get("DLCORE_PEER")
    if not python:
        pytest.skip("set DLCORE_PEER to a Python where deeplabcut==3.0.2 is installed")
    script = shared / "peer" / "peer.py"
    folder = tmp_path_factory.mktemp("peer")

    def run(*arguments: object) -> Any:
        command = [*shlex.split(python), str(script), "--threads", "1", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def run_of(shared: Path, host, tmp_path_factory) -> Callable[..., Path]:
    """Trains with dlcore in a copy of one of DeepLabCut's projects; gives the folder of the run.

    The config lies in that folder as DeepLabCut wrote it.
    """

    def make(project: str, shuffle: int, source: str, *changes: str, init_from: str = "") -> Path:
        snapshots = shared / "peer" / "snapshots"
        root = tmp_path_factory.mktemp("project") / project
        shutil.copytree(shared / "peer" / "projects" / project, root)
        for path in root.rglob("*"):
            path.chmod(0o755)
        folder = next(root.glob(f"dlc-models-pytorch/iteration-0/*shuffle{shuffle}/train"))
        if source:
            config = (snapshots / source / "pytorch_config.yaml").read_text()
            (folder / "pytorch_config.yaml").write_text(config.replace("__PROJECT__", str(root)))
        small = "{width: 128, height: 128, max_shift: 0.1, method: hybrid}"
        loaded = load_config(
            folder / "pytorch_config.yaml",
            host,
            [
                "train_settings.dataloader_workers=0",
                "runner.precision=fp32",
                "runner.snapshots.save_optimizer_state=true",
                *([f"data.train.crop_sampling={small}"] if "rtmpose" not in source else []),
                *changes,
            ],
        )
        start = snapshots / init_from if init_from else None
        train(loaded, host, RunRequest(folder, device="cpu", init_from=start))
        return folder

    return make
