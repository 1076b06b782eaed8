"""New configs: the architecture over general defaults, in order, with comments."""

import pytest
import yaml

from dlcore.config.attribute_docs import attribute_docs
from dlcore.config.schema import RunConfig
from dlcore.config.yaml import parse
from dlcore.engine.template import config_text, new_config
from dlcore.interfaces import PoseTask

TASK = PoseTask(("snout", "no"), ("lamp",), ("m1", "m2"), with_identity=True)
ARCHITECTURE = {
    "net_type": "tiny",
    "model": {"backbone": {"type": "Tiny"}, "heads": {"bodypart": {"type": "TinyHead"}}},
    "data": {"train": {"hflip": True}, "bbox_margin": 5},
    "runner": {
        "optimizer": {"type": "SGD", "params": {"lr": 1e-5}},
        "scheduler": {"type": "StepLR", "params": {"step_size": 3}},
        "eval_interval": 3,
    },
    "train_settings": {"epochs": 7},
}


@pytest.fixture
def values():
    return new_config(
        ARCHITECTURE,
        TASK,
        project_path="/data/p",
        config_path="/data/p/pytorch_config.yaml",
        dataset={"type": "COCOLoader", "root": "/data/p"},
    )


def test_the_architecture_goes_before_the_defaults(values):
    assert values["data"]["bbox_margin"] == 5
    assert values["data"]["train"] == {"normalize_images": True, "hflip": True}
    assert values["runner"]["optimizer"] == {"type": "SGD", "params": {"lr": 1e-5}}
    assert values["runner"]["eval_interval"] == 3
    assert values["runner"]["key_metric"] == "test.mAP"
    assert values["train_settings"]["epochs"] == 7
    assert values["train_settings"]["batch_size"] == 8


def test_the_box_margin_is_that_of_new_deeplabcut_files():
    values = new_config({}, TASK, project_path="", config_path="", dataset=None)

    assert values["data"]["bbox_margin"] == 20


def test_metadata_hold_the_names(values):
    assert values["metadata"] == {
        "project_path": "/data/p",
        "pose_config_path": "/data/p/pytorch_config.yaml",
        "bodyparts": ["snout", "no"],
        "unique_bodyparts": ["lamp"],
        "individuals": ["m1", "m2"],
        "with_identity": True,
    }


def test_sections_stand_in_deeplabcuts_order(values):
    assert list(values) == [
        "config_version",
        "model",
        "net_type",
        "device",
        "metadata",
        "dataset",
        "data",
        "runner",
        "train_settings",
    ]


def test_the_text_holds_the_values_in_both_versions_of_yaml(values):
    text = config_text(values, "first line\n\nsecond line")

    assert yaml.safe_load(text) == values
    assert parse(text).values == values
    assert text.startswith("# first line\n#\n# second line\n\nconfig_version: 0")


def test_a_detector_gets_defaults_of_its_own():
    scheduler = {"type": "StepLR", "params": {"step_size": 3}}
    architecture = ARCHITECTURE | {
        "method": "td",
        "detector": {
            "model": {"type": "Finder"},
            "data": {"train": {"hflip": True}},
            "runner": {"scheduler": scheduler},
            "train_settings": {"epochs": 9},
        },
    }

    values = new_config(architecture, TASK, project_path="", config_path="", dataset=None)
    detector = values["detector"]

    assert list(detector) == ["model", "data", "runner", "train_settings"]
    assert detector["data"]["train"] == {"normalize_images": True, "hflip": True}
    assert detector["runner"]["key_metric"] == "test.mAP@50:95"
    assert detector["runner"]["scheduler"] == scheduler
    assert detector["train_settings"]["epochs"] == 9
    assert detector["train_settings"]["batch_size"] == 8
    assert "seed" not in detector["train_settings"]
    assert "\n  train_settings:  # How long and on how much at a time\n" in config_text(values, "")


def test_keys_say_what_they_mean(values):
    text = config_text(values, "")

    description = attribute_docs(RunConfig)["device"]
    assert f"device: auto  # {description.rstrip('.')}\n" in text
    assert "  epochs: 7  # " in text


def test_what_deeplabcut_does_not_know_is_left_out_where_it_reads_the_file(shared):
    reference = yaml.safe_load(
        (shared / "peer" / "configs" / "single" / "resnet_50.yaml").read_text(encoding="utf-8")
    )
    values = new_config(
        {"model": {"backbone": {}, "heads": {}}, "net_type": "resnet_50", "method": "bu"},
        TASK,
        project_path="",
        config_path="",
        dataset=None,
    )

    def unknown(ours, theirs, place=""):
        for key, value in ours.items():
            if key not in theirs:
                yield place + key
            elif isinstance(value, dict) and isinstance(theirs[key], dict):
                yield from unknown(value, theirs[key], f"{place}{key}.")

    assert list(unknown(values, reference)) == []
