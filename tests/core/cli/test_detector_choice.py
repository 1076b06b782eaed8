"""`dlcore init --detector NAME`: another detector, with what still holds of the former one."""

import pytest

from dlcore.cli.detector_choice import choose_detector
from dlcore.errors import DlcoreError


@pytest.fixture
def values():
    return {
        "net_type": "rtmpose_s",
        "detector": {
            "model": {
                "type": "SSDLite",
                "freeze_bn_stats": True,
                "box_score_thresh": 0.01,
                "score_thresh": 0.2,
            },
            "train_settings": {"batch_size": 16, "epochs": 250},
        },
    }


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("FasterRCNN", {"type": "FasterRCNN"}),
        ("fasterrcnn", {"type": "FasterRCNN"}),
        (
            "fasterrcnn_resnet50_fpn_v2",
            {"type": "FasterRCNN", "variant": "fasterrcnn_resnet50_fpn_v2"},
        ),
        ("retinanet_resnet50_fpn", {"type": "RetinaNet", "variant": "retinanet_resnet50_fpn"}),
    ],
)
def test_a_detector_or_a_variant_takes_the_place(name, model, values, host):
    choose_detector(values, name, host)

    shared_options = {"freeze_bn_stats": True, "box_score_thresh": 0.01}
    assert values["detector"]["model"] == model | shared_options
    assert values["detector"]["train_settings"] == {"batch_size": 1, "epochs": 250}


def test_the_one_that_is_there_stays_as_it_is(values, host):
    choose_detector(values, "ssdlite", host)

    assert values["detector"]["model"] == {
        "type": "SSDLite",
        "freeze_bn_stats": True,
        "box_score_thresh": 0.01,
        "score_thresh": 0.2,
    }
    assert values["detector"]["train_settings"]["batch_size"] == 16


def test_an_unknown_one_lists_all_with_their_variants(values, host):
    with pytest.raises(DlcoreError, match=r"no detector 'yolo'(?s:.*)SSDLite") as caught:
        choose_detector(values, "yolo", host)

    assert "FasterRCNN\n    fasterrcnn_mobilenet_v3_large_fpn\n" in str(caught.value)


def test_a_config_without_detector_takes_none(host):
    with pytest.raises(DlcoreError, match=r"'dekr_w18' is not top-down and has no detector"):
        choose_detector({"net_type": "dekr_w18"}, "SSDLite", host)
