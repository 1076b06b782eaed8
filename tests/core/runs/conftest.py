"""Folders of runs, made of the files that are read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

COLUMNS = (
    "step",
    "losses/eval.total_loss",
    "losses/train.total_loss",
    "metrics/test.mAP",
    "metrics/test.rmse",
)
TABLE = [
    (1, "", 0.5, "", ""),
    (2, 0.4, 0.3, 40.0, 5.0),
    (3, "", 0.2, "", ""),
    (4, 0.5, 0.1, 30.0, "nan"),
]
CREATED = "2026-05-04T12:00:00+0000"
BEGUN = 1777896000.0
"""The same in seconds since 1970."""


def config(**changes):
    """A config with changes, by dotted key."""
    values = {
        "net_type": "resnet_50",
        "method": "bu",
        "model": {"backbone": {"type": "deeplabcut/ResNet", "model_name": "resnet50_gn"}},
        "runner": {
            "key_metric": "test.mAP",
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
        },
        "train_settings": {"epochs": 4},
    }
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = values
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return values


def text_of(rows, columns=COLUMNS):
    return "".join(",".join(map(str, row)) + "\n" for row in [columns, *rows])


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes the files of a run, all last changed at the same time."""

    def make(
        name="run",
        *,
        rows=TABLE,
        detector=None,
        status=None,
        snapshots=("snapshot-best-002.pt", "snapshot-004.pt", "resume.pt"),
        config_name="resolved_config.yaml",
        changed=BEGUN + 400,
        **changes,
    ):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        files = {config_name: yaml.safe_dump(config(**changes))}
        if rows is not None:
            files["learning_stats.csv"] = text_of(rows)
        if detector is not None:
            files["learning_stats_detector.csv"] = detector
        if config_name == "resolved_config.yaml":
            files["manifest.json"] = json.dumps({"version": "0.1.0", "created": CREATED})
        if status is not None:
            files["status.json"] = json.dumps(status)
        files |= dict.fromkeys(snapshots, "x" * 1000)
        for file, text in files.items():
            (folder / file).write_text(text)
            os.utime(folder / file, (changed, changed))
        return folder

    return make


DETECTOR = "step,losses/train.total_loss,metrics/test.mAP@50:95\n1,1.0,3.0\n2,0.5,8.0\n"
TWO_STAGES = {
    "method": "td",
    "detector.model": {"type": "torchvision_detectors/SSDLite"},
    "detector.runner": {"key_metric": "test.mAP@50:95"},
    "detector.train_settings": {"epochs": 2},
}
