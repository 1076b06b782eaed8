"""A run with everything a report can tell, and names that would be markup."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.core.runs.conftest import config, make_run

__all__ = ["make_run"]

EVIL = "<script>alert('x')</script>"
BODYPARTS = ["snout", "left ear & eye", EVIL, "tail_base_with_a_name_that_is_long"]
EPOCHS = 12


def errors(number, name=None, unique=False):
    """What an evaluation says of a bodypart; the numbers have many digits."""
    base = 1.5 + number * 0.7316812345
    found = {
        "labelled": 40 - number,
        "predicted": 40 - number,
        "rmse": base * 1.3,
        "rmse_pcutoff": base * 1.1,
        "median": base,
        "p75": base * 1.6,
        "p90": base * 2.2,
        "p95": None if number == 3 else base * 3.1,
        "coverage": 97.4321 - number,
        "pck": {"0.05": 71.987 - number, "0.1": 90.123 - number, "0.2": 99.5},
    }
    return found if name is None else {"name": name, "unique": unique, **found}


def evaluation(folder, split="test"):
    return {
        "run": str(folder),
        "snapshot": "snapshot-best-010.pt",
        "split": split,
        "images": 20,
        "boxes": "detector",
        "pcutoff": [0.4, 0.6],
        "metrics": {"rmse": 3.2475965617, "rmse_pcutoff": 2.94414, "mAP": 98.015358, "mAR": None},
        "keypoints": [errors(i, name, unique=i == 3) for i, name in enumerate(BODYPARTS)],
        "pooled": errors(1.2),
        "identity": {"names": ["mouse_1", "mouse_2"], "confusion": [[19, 1], [4, 16]]},
        "per_image": [
            {
                "image": f"img{i:02d}.png",
                "rmse": 1.0 + i * 0.37,
                "rmse_pcutoff": None,
                "missed": i % 2,
            }
            for i in range(20)
        ],
        "pictures": [
            {
                "file": f"evaluation_{split}/{kind}.png",
                "kind": kind,
                "image": f"img_{kind}.png",
                "rmse": 7.25 - 3 * i,
            }
            for i, kind in enumerate(["worst", "typical", "best"])
        ],
        "seconds": 2.5,
        "images_per_s": 8.0,
    }


def table(first_loss, parts):
    names = [f"profile/{part}_s" for part in ("forward", "backward", "decode", "wait")]
    columns = ["step", "losses/train.total_loss", "losses/eval.total_loss", *parts, *names]
    lines = [",".join(columns)]
    for epoch in range(1, EPOCHS + 1):
        loss = first_loss / epoch
        measured = [loss * 1.2, *(90 - 30 / epoch + i for i in range(len(parts)))]
        measured = measured if epoch % 2 == 0 else [""] * len(measured)
        lines.append(",".join(map(str, [epoch, loss, *measured, 1.0, 2.0, 0.5 / epoch, 0.1])))
    return "\n".join(lines) + "\n"


def log(first_losses):
    lines = ["2026-05-04 12:00:00 data: 175 training and 60 test images, 4 bodyparts"]
    minute = 0
    for first_loss in first_losses:
        lines.append(
            "2026-05-04 12:00:01 training 2.21 million weights on cpu in bf16 until epoch 12"
        )
        for epoch in range(1, EPOCHS + 1):
            minute += 1
            rate = 0.001 if epoch < 9 else 0.0001
            lines.append(
                f"2026-05-04 12:{minute:02d}:30 epoch {epoch}/{EPOCHS} (lr={rate:g}), "
                f"train loss {first_loss / epoch:.5f}, test.mAP 40.00, {10 + epoch / 10} images/s"
            )
        lines.append(f"2026-05-04 12:{minute:02d}:40 profile: the network takes 96% of the time")
    return "\n".join(lines) + "\n"


def build_full_run(place):
    """The folder of a top-down run with evaluations, pictures, a profile and provenance."""
    folder = place / "first <run> & more"
    folder.mkdir()
    for name in ("snapshot-best-010.pt", "snapshot-detector-best-012.pt", "resume.pt"):
        (folder / name).write_text("x" * 1000)
    status = {
        "state": "complete",
        "since": "2026-05-04T12:00:00+0000",
        "until": "2026-05-04T12:24:10+0000",
    }
    (folder / "status.json").write_text(json.dumps(status))
    detector = table(4.8, ["metrics/test.mAP@50:95"])
    (folder / "learning_stats_detector.csv").write_text(detector)
    values = config(
        **{
            "method": "td",
            "metadata.bodyparts": BODYPARTS,
            "train_settings.epochs": EPOCHS,
            "detector.model": {"type": "torchvision_detectors/SSDLite"},
            "detector.runner": {"key_metric": "test.mAP@50:95"},
            "detector.train_settings": {"epochs": EPOCHS},
            "dataset.root": "/data/<b>bold</b>",
        }
    )
    (folder / "resolved_config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    pose = ["metrics/test.mAP", "metrics/test.rmse"]
    (folder / "learning_stats.csv").write_text(table(0.05, pose))
    (folder / "train.txt").write_text(log([4.8, 0.05]))
    manifest = {
        "version": "0.1.0",
        "created": "2026-05-04T12:00:00+0000",
        "python": "3.11.7",
        "torch": "2.7.0",
        "precision": "bf16",
        "plugins": {"heatmap": {"distribution": "dlcore", "version": "0.1.0"}},
        "environment": {"device": "cpu (2 cores)", "system": "Linux"},
        "config_path": "/home/me/run.yaml",
        "provenance": {
            "net_type": "line 1",
            "metadata.bodyparts": "dataset",
            "train_settings.epochs": "--set",
            "model.backbone.model_name": "net type",
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for split in ("test", "train"):
        place = folder / f"evaluation_{split}"
        place.mkdir()
        for number, kind in enumerate(("worst", "typical", "best")):
            pixels = np.full((240, 320, 3), 60 * number + 60, np.uint8)
            pixels[100:140, 150:170] = (220, 40, 40)
            Image.fromarray(pixels).save(place / f"{kind}.png")
        values = evaluation(folder, split)
        (folder / f"evaluation_{split}.json").write_text(json.dumps(values))
    return folder


@pytest.fixture
def full_run(tmp_path):
    """As `build_full_run`."""
    return build_full_run(tmp_path)
