"""A small run on drawn animals, for the tests of whole runs."""

import copy
from pathlib import Path

import pytest
import yaml

from dlcore.testing.animals import write_animals

HEAD = {
    "type": "HeatmapHead",
    "weight_init": "normal",
    "predictor": {"type": "HeatmapPredictor", "apply_sigmoid": False, "clip_scores": True},
    "target_generator": {
        "type": "HeatmapGaussianGenerator",
        "num_heatmaps": "num_bodyparts",
        "pos_dist_thresh": 8,
    },
    "criterion": {
        "heatmap": {"type": "WeightedMSECriterion", "weight": 1.0},
        "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
    },
    "heatmap_config": {
        "channels": ["backbone_output_channels", "num_bodyparts"],
        "kernel_size": [2],
        "strides": [2],
    },
    "locref_config": {
        "channels": ["backbone_output_channels", "num_bodyparts x 2"],
        "kernel_size": [2],
        "strides": [2],
    },
}


def small_config(root: Path) -> dict:
    """A config that trains in seconds, with every source of randomness in play."""
    return {
        "net_type": None,
        "method": "bu",
        "device": "cpu",
        "dataset": {"type": "COCOLoader", "root": str(root)},
        "data": {
            "inference": {"normalize_images": True},
            "train": {
                "affine": {"p": 0.8, "rotation": 30, "scaling": [0.8, 1.2], "translation": 4},
                "gaussian_noise": 5.0,
                "motion_blur": True,
                "normalize_images": True,
            },
        },
        "model": {
            "backbone": {
                "type": "TimmBackbone",
                "model_name": "resnet10t",
                "pretrained": False,
                "out_indices": [2],
                "drop_path_rate": 0.3,
            },
            "heads": {"bodypart": copy.deepcopy(HEAD)},
        },
        "runner": {
            "precision": "fp32",
            "key_metric": "test.mAP",
            "eval_interval": 2,
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
            "scheduler": {
                "type": "LRListScheduler",
                "params": {"lr_list": [[5e-4], [1e-4]], "milestones": [1, 3]},
            },
            "snapshots": {"max_snapshots": 5, "save_epochs": 1},
        },
        "train_settings": {"batch_size": 4, "epochs": 2, "seed": 7, "display_iters": 2},
    }


@pytest.fixture(scope="session")
def animals(tmp_path_factory):
    """A COCO folder of ten training and four test images of 64 pixels."""
    folder = tmp_path_factory.mktemp("animals")
    write_animals(folder, num_train=10, num_test=4, size=64)
    return folder


@pytest.fixture
def config_file(tmp_path, animals):
    """Writes a config with changes (dotted key to value) and gives its path."""

    def write(name="pytorch_config.yaml", **changes):
        config = small_config(animals)
        for key, value in changes.items():
            *parents, last = key.split(".")
            section = config
            for parent in parents:
                section = section[parent]
            section[last] = value
        path = tmp_path / name
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    return write
