"""Detectors from a config."""

from __future__ import annotations

import logging

import pytest
import torch

from dlcore.config.schema import RunConfig
from dlcore.engine.assembly import build_detector, build_ready_detector
from dlcore.errors import ConfigError
from dlcore_plugins.torchvision_detectors import weights
from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite


def config(epochs=0, **model):
    return RunConfig.model_validate(
        {
            "method": "td",
            "detector": {
                "model": {"type": "SSDLite", **model},
                "train_settings": {"epochs": epochs},
            },
        }
    )


@pytest.mark.parametrize(
    ("model", "fresh", "warned"),
    [
        ({"pretrained": False, "freeze_bn_stats": True}, True, True),
        ({"pretrained": False}, True, False),
        ({"pretrained": False, "freeze_bn_stats": True}, False, False),
        ({"pretrained": False, "type": "FasterRCNN"}, True, True),
        (
            {
                "pretrained": False,
                "type": "FasterRCNN",
                "variant": "fasterrcnn_resnet50_fpn_v2",
            },
            True,
            False,
        ),
    ],
)
def test_random_weights_with_fixed_statistics_are_warned_of(host, caplog, model, fresh, warned):
    with caplog.at_level(logging.WARNING, "dlcore"):
        build_detector(host, config(**model), fresh=fresh)

    assert ("batch-norm statistics stay" in caplog.text) == warned


def test_a_detector_that_needs_no_training_is_ready(host, monkeypatch, tmp_path):
    torch.manual_seed(0)
    given = SSDLite(classes=["dog"]).state_dict()
    torch.save(given, tmp_path / "coco.pth")
    monkeypatch.setattr(weights, "from_url", lambda *_: tmp_path / "coco.pth")

    ready = build_ready_detector(host, config(pretrained=True, classes=["dog", "cat"]))

    assert ready is not None
    assert all(torch.equal(value, given[key]) for key, value in ready.state_dict().items())


def test_a_detector_whose_head_is_random_is_not_used_untrained(host, tmp_path):
    """The last layer of a Faster R-CNN starts anew where the file has other classes."""
    small = {"type": "FasterRCNN", "variant": "fasterrcnn_mobilenet_v3_large_320_fpn"}
    coco = build_detector(host, config(**small, classes=["dog"]), fresh=False)
    torch.save(coco.state_dict(), tmp_path / "coco.pth")
    given = small | {"pretrained": str(tmp_path / "coco.pth")}

    with pytest.raises(ConfigError, match="parts of it have random weights") as caught:
        build_ready_detector(host, config(**given))
    assert caught.value.problems[0].key == "detector.model"
    assert build_ready_detector(host, config(**given, classes=["cat"])) is not None


@pytest.mark.parametrize(
    ("epochs", "model"), [(1, {"pretrained": True}), (0, {}), (0, {"pretrained": False})]
)
def test_other_detectors_are_not_ready(host, epochs, model):
    assert build_ready_detector(host, config(epochs, **model)) is None
    assert build_ready_detector(host, RunConfig()) is None
