from __future__ import annotations

import pytest
from pydantic import ValidationError

from dlcore.config.attribute_docs import attribute_docs
from dlcore.config.schema import RunConfig
from dlcore.config.sections import Section, section_at

FACTS = {
    "data.bbox_margin": 25,
    "data.colormode": "RGB",
    "device": "auto",
    "inference.autocast.enabled": False,
    "inference.compile.backend": "inductor",
    "inference.compile.enabled": False,
    "inference.multithreading.enabled": True,
    "inference.multithreading.queue_length": 4,
    "inference.multithreading.timeout": 30.0,
    "metadata.individuals": ["individual_1"],
    "method": "bu",
    "runner.eval_interval": 10,
    "runner.key_metric": "test.mAP",
    "runner.key_metric_asc": True,
    "runner.load_scheduler_state_dict": True,
    "runner.precision": "auto",
    "runner.snapshots.max_snapshots": 5,
    "runner.snapshots.save_epochs": 25,
    "runner.snapshots.save_optimizer_state": False,
    "runner.type": "PoseTrainingRunner",
    "train_settings.batch_size": 8,
    "train_settings.cache_gb": "auto",
    "train_settings.dataloader_pin_memory": False,
    "train_settings.dataloader_workers": 0,
    "train_settings.display_iters": 500,
    "train_settings.epochs": 200,
    "train_settings.seed": 42,
    "with_center_keypoints": False,
}


def attribute(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


@pytest.mark.parametrize(("key", "default"), FACTS.items())
def test_defaults_are_those_of_the_reference(key, default):
    assert attribute(RunConfig(), key) == default


def nested_nulls(section: type[Section]):
    """Every key of a section that may be left out, as null."""
    return {
        name: None for name, info in section.model_fields.items()
        if not info.is_required() and name != "transforms"
    }  # fmt: skip


def test_null_and_missing_are_alike_for_every_key():
    assert RunConfig.model_validate(nested_nulls(RunConfig)) == RunConfig()
    for name in ("metadata", "data", "runner", "train_settings", "inference", "model"):
        section = section_at(RunConfig, (name,))
        assert RunConfig.model_validate({name: nested_nulls(section)}) == RunConfig()


def test_a_detector_is_judged_by_its_own_metric():
    detector = RunConfig.model_validate({"detector": {"model": {"type": "X"}}}).detector
    assert detector.runner.key_metric == "test.mAP@50:95"
    assert detector.runner.type == "DetectorTrainingRunner"


def test_transforms_are_those_that_are_on():
    config = RunConfig.model_validate(
        {
            "data": {
                "train": {
                    "resize": False,
                    "affine": {"p": 0.5},
                    "hflip": True,
                    "covering": None,
                    "random_bbox_transform": {},
                    "gaussian_noise": 12.75,
                    "normalize_images": None,
                    "collate": False,
                    "top_down_crop": {"width": 128},
                }
            }
        }
    )
    train = config.data.train
    assert train.transforms == {"affine": {"p": 0.5}, "hflip": True, "gaussian_noise": 12.75}
    assert train.normalize_images is True
    assert train.collate is None
    assert train.top_down_crop == {
        "width": 128, "height": 256, "margin": 0, "crop_with_context": None
    }  # fmt: skip


def test_dumping_gives_a_config_that_loads_again():
    values = {
        "method": "TD",
        "data": {"train": {"affine": {"p": 0.5}, "top_down_crop": {"width": 64}}},
        "logger": {"type": "A"},
        "detector": {"model": {"type": "B"}},
        "train_settings": {"weight_init": {"snapshot_path": "a.pt"}},
    }
    config = RunConfig.model_validate(values)
    dumped = config.model_dump(mode="json")
    assert dumped["data"]["train"]["affine"] == {"p": 0.5}
    assert "transforms" not in dumped["data"]["train"]
    assert RunConfig.model_validate(dumped) == config


def test_loggers_are_always_a_list():
    assert RunConfig().loggers == []
    assert RunConfig(logger={"type": "A"}).loggers == [{"type": "A"}]
    assert RunConfig(logger=[{"type": "A"}, {"type": "B"}]).loggers == [
        {"type": "A"},
        {"type": "B"},
    ]


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:11", "mps"])
def test_devices_of_torch_are_accepted(device):
    assert RunConfig(device=device).device == device


@pytest.mark.parametrize(
    "values",
    [
        {"device": "gpu"},
        {"device": "cuda:"},
        {"device": "cpu:5"},
        {"device": "xpu"},
        {"train_settings": {"epochs": -1}},
        {"train_settings": {"batch_size": 0}},
        {"train_settings": {"dataloader_workers": "many"}},
        {"train_settings": {"weight_init": {"memory_replay": True}}},
        {"train_settings": {"weight_init": {"with_decoder": True}}},
        {"train_settings": {"weight_init": {"bodyparts": ["a"], "conversion_array": [1, 2]}}},
        {"runner": {"eval_interval": 0}},
        {"runner": {"snapshots": {"max_snapshots": 0}}},
        {"runner": {"snapshots": {"save_epochs": 0}}},
        {"runner": {"snapshot_prefix": "../outside"}},
        {"runner": {"snapshot_prefix": "/tmp/x"}},
        {"runner": {"snapshot_prefix": "a\\b"}},
        {"runner": {"snapshot_prefix": ""}},
        {"runner": {"snapshot_prefix": ".hidden"}},
        {"detector": {"model": {}, "runner": {"snapshot_prefix": "a/b"}}},
        {"runner": {"gpus": [-1]}},
        {"runner": {"gpus": 0}},
        {"runner": {"optimizer": {"params": {}}}},
        {"runner": {"precision": "fp64"}},
        {"metadata": {"bodyparts": ["a", "a"]}},
        {"metadata": {"bodyparts": "a"}},
        {"data": {"bbox_margin": -1}},
        {"data": {"colormode": "BGR"}},
        {"method": "xy"},
        {"detector": {}},
        {"logger": "WandbLogger"},
        {"model": {"heads": ["bodypart"]}},
        {"plugins": "a.py"},
    ],
)
def test_values_that_make_no_sense_are_refused(values):
    with pytest.raises(ValidationError):
        RunConfig.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"runner": {"load_scheduler_state_dict": False, "load_head_weights": False}},
        {"detector": {"model": {}, "runner": {"load_scheduler_state_dict": False}}},
        {"detector": {"model": {}, "data": {"bbox_margin": 20}}},
        {"data": {"train": {"resize": False, "crop_sampling": False}}},
        {"inference": None},
        {"method": "BU"},
        {"net_type": "something_new"},
        {"train_settings": {"epochs": 0, "dataloader_workers": "auto", "cache_gb": 0.5}},
    ],
)
def test_what_the_reference_refuses_without_need_is_accepted(values):
    RunConfig.model_validate(values)


def test_every_key_is_described():
    seen = set()

    def visit(section):
        if section in seen:
            return
        seen.add(section)
        assert section.__doc__
        for name in section.model_fields:
            described = name in attribute_docs(section) or name == "transforms"
            assert described, f"{section.__name__}.{name}"
            inner = section_at(section, (name,))
            if inner is not None:
                visit(inner)

    visit(RunConfig)
    assert len(seen) > 15


def test_section_at_finds_the_section_of_a_place():
    def name_at(*place):
        section = section_at(RunConfig, place)
        return section.__name__ if section is not None else None

    assert name_at() == "RunConfig"
    assert name_at("runner", "snapshots") == "Snapshots"
    assert name_at("detector", "runner", "optimizer") == "Optimizer"
    assert name_at("data", "train", "top_down_crop") == "TopDownCrop"
    assert name_at("train_settings", "weight_init") == "WeightInit"
    assert name_at("model", "backbone") is None
    assert name_at("nothing", "here") is None


@pytest.mark.parametrize("prefix", ["snapshot-detector", "my run_2.b", None])
def test_prefixes_of_file_names_are_accepted(prefix):
    assert RunConfig(runner={"snapshot_prefix": prefix}).runner.snapshot_prefix == prefix
