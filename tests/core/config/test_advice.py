"""What is seldom meant is told by `dlcore check`."""

from __future__ import annotations

import pytest

from dlcore.config.advice import advice_on
from dlcore.config.schema import RunConfig

KEY = "detector.model.freeze_bn_stats"
SSDLITE = {"type": "SSDLite", "freeze_bn_stats": True, "pretrained": False}


def config(backbone=None, detector=None, **more):
    values = {
        "method": "td",
        "model": {"backbone": backbone or {"type": "ResNet"}, "heads": {"bodypart": {"type": "X"}}},
    }
    if detector is not None:
        values["detector"] = {"model": detector, **more.pop("of_detector", {})}
    return RunConfig.model_validate(values | more)


def keys(host, *args, **more):
    return [key for key, _ in advice_on(config(*args, **more), host)]


def test_random_weights_with_frozen_statistics_are_told(host):
    assert keys(host, detector=SSDLITE) == [KEY]
    # of a ResNet they are frozen by default
    assert keys(host, {"type": "ResNet", "pretrained": False}) == ["model.backbone.freeze_bn_stats"]


@pytest.mark.parametrize("pretrained", [None, True, "file.pt"])
def test_with_trained_weights_nothing_is_told(host, pretrained):
    assert keys(host, {"type": "ResNet"}, SSDLITE | {"pretrained": pretrained}) == []


def test_statistics_that_learn_need_no_word(host):
    free = {"pretrained": False, "freeze_bn_stats": False}
    assert keys(host, {"type": "ResNet", **free}, {"type": "SSDLite", **free}) == []


def test_weights_from_elsewhere_are_no_random_ones(host):
    random = {"type": "ResNet", "pretrained": False}
    assert keys(host, random, init_from="a.pt") == []
    assert keys(host, random, resume_training_from="a.pt") == []
    resumed = {"resume_training_from": "snapshot-detector-001.pt"}
    assert keys(host, detector=SSDLITE, of_detector=resumed) == []
    assert keys(host, detector=SSDLITE, method="bu") == []
