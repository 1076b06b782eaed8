"""Every component that comes with dlcore keeps the contract of its kind.

A component is checked as soon as a plugin offers it: the table below says with which options. One
without an entry fails here, so that nothing is offered unchecked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from importlib_metadata import entry_points
from torch import nn

from dlcore.hookspecs import ENTRY_POINT_GROUP, KINDS
from dlcore.interfaces import Backbone, DatasetContext, Features, FeatureSpec, Record, RunInfo
from dlcore.model import HeadParts, Loss, PoseModel
from dlcore.plugin_host import PluginHost
from dlcore.testing import (
    check_backbone,
    check_callback,
    check_collate,
    check_component,
    check_criterion,
    check_dataset,
    check_detector,
    check_evaluation_writer,
    check_exporter,
    check_head,
    check_inference_backend,
    check_logger,
    check_neck,
    check_net_type,
    check_prediction_writer,
    check_predictor,
    check_round_trip,
    check_runner,
    check_scheduler,
    check_target_generator,
    check_tracker,
    check_transform,
    check_weight_initializer,
    fake_batch,
    fake_task,
    write_dataset,
)
from dlcore_plugins.conditional.options import StackedKeypointEncoderOptions
from tests.plugins.conditional.reference import WithPose
from tests.plugins.deeplabcut.projects import write_project

ROOT = Path(__file__).parents[2]
BUNDLED = [
    entry_point
    for entry_point in entry_points(group=ENTRY_POINT_GROUP)
    if entry_point.dist is not None and entry_point.dist.name == "dlcore"
]
HOST = PluginHost.from_entry_points(BUNDLED)
OFFERS = [(kind, entry) for kind, registry in HOST.registries.items() for entry in registry]
NAMES = [f"{kind}-{entry.qualified_name}" for kind, entry in OFFERS]

TASK = fake_task(3)
TWO_ANIMALS = fake_task(3, num_individuals=2, num_unique=2, with_identity=True)
FEATURES = FeatureSpec(channels=8, stride=8)
THREE_MAPS = (FeatureSpec(4, 4), FEATURES, FeatureSpec(12, 16))
STRIDE = 4

Check = Callable[[type, Path], None]


def backbone(*, odd_size: bool = True, **options: Any) -> Check:
    return lambda cls, _: check_backbone(cls(**options), odd_size=odd_size)


def conditional(*, odd_size: bool = True, **options: Any) -> Check:
    """Of a backbone that takes rough poses: with the same one for every image."""
    encoder = StackedKeypointEncoderOptions(type="StackedKeypointEncoder", num_joints=2)
    pose = torch.tensor([[(20.0, 30.0, 2.0), (50.0, 10.0, 1.0)]])
    return lambda cls, _: check_backbone(
        WithPose(cls(kpt_encoder=encoder, **options), pose), odd_size=odd_size
    )


def neck(*, features: Features = FEATURES, odd_size: bool = True, **options: Any) -> Check:
    return lambda cls, _: check_neck(cls(features, **options), features, odd_size=odd_size)


def head(*, features: FeatureSpec = FEATURES, odd_size: bool = True, **options: Any) -> Check:
    return lambda cls, _: check_head(
        cls(features, TASK, **options), features, TASK, odd_size=odd_size
    )


def maps(**channels: int) -> dict[str, torch.Tensor]:
    """Outputs of a head at STRIDE for images of 64x64, one cell too many as deconvolutions give."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(2, c, 17, 17, generator=generator) for name, c in channels.items()}


def targets(task=TASK, outputs=None, **options: Any) -> Check:
    outputs = outputs or maps(heatmap=3, locref=6)
    return lambda cls, _: check_target_generator(cls(task, **options), STRIDE, outputs, task)


def predictor(outputs=None, *, task=TASK, gives_poses: bool = True, **options: Any) -> Check:
    outputs = outputs or maps(heatmap=3, locref=6)
    return lambda cls, _: check_predictor(
        cls(task, **options), STRIDE, outputs, task, gives_poses=gives_poses
    )


def criterion(*shapes: tuple[int, ...], **options: Any) -> Check:
    def check(cls: type, _: Path) -> None:
        for shape in shapes or ((2, 3, 8, 8),):
            check_criterion(cls(**options), shape)

    return check


def initializer(**options: Any) -> Check:
    return lambda cls, _: check_weight_initializer(cls(**options), nn.Conv2d(4, 4, 3))


def transform(*, affine: bool = True, **options: Any) -> Check:
    return lambda cls, _: check_transform(
        cls(TWO_ANIMALS, **options), TWO_ANIMALS, size=(96, 72), affine=affine
    )


def collate(**options: Any) -> Check:
    return lambda cls, _: check_collate(cls(**options), TWO_ANIMALS)


def scheduler(**options: Any) -> Check:
    return lambda cls, _: check_scheduler(lambda optimizer: cls(optimizer, **options))


def logger(**options: Any) -> Check:
    def check(cls: type, folder: Path) -> None:
        folder.mkdir()
        check_logger(cls(RunInfo(folder), **options))

    return check


def callback(**options: Any) -> Check:
    def check(cls: type, folder: Path) -> None:
        folder.mkdir()
        check_callback(lambda: cls(**options), folder)

    return check


def prediction_writer(**options: Any) -> Check:
    def check(cls: type, folder: Path) -> None:
        for task in (TASK, TWO_ANIMALS):
            place = folder / str(task.num_individuals)
            place.mkdir(parents=True)
            check_prediction_writer(lambda job: cls(job, **options), place, task)

    return check


def evaluation_writer(**options: Any) -> Check:
    def check(cls: type, folder: Path) -> None:
        for task in (TASK, TWO_ANIMALS):
            place = folder / str(task.num_individuals)
            place.mkdir(parents=True)
            check_evaluation_writer(lambda job: cls(job, **options), place, task)

    return check


def exporter(cls: type, folder: Path) -> None:
    made = cls()
    folder.mkdir()
    backend = HOST.find("inference_backends", made.backend).component.load()
    check_exporter(made, backend, folder)


def inference_backend(cls: type, folder: Path) -> None:
    folder.mkdir()
    check_inference_backend(cls, HOST.find("exporters", cls.format).component.load()(), folder)


def tracker(**options: Any) -> Check:
    return lambda cls, _: check_tracker(lambda task: cls(task, **options), TWO_ANIMALS)


def deeplabcut_project(cls: type, folder: Path) -> None:
    write_project(folder)
    check_dataset(cls(DatasetContext(), project=str(folder)))


def coco_folder(cls: type, folder: Path) -> None:
    write_dataset(folder, task=fake_task(3, num_individuals=2))
    check_dataset(cls(DatasetContext(), root=str(folder)))


def detector(**options: Any) -> Check:
    return lambda cls, _: check_detector(cls(pretrained=False, **options))


def net_type(cls: type, _: Path) -> None:
    check_net_type(cls(), TASK)


def net_type_for_several(cls: type, _: Path) -> None:
    check_net_type(cls(), TWO_ANIMALS)


def net_type_for_crops(cls: type, _: Path) -> None:
    check_net_type(cls(), fake_task(3, num_individuals=2))


class FourCells(Backbone):
    """Enough of a network to run a runner."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, FEATURES.channels, 8, stride=8)
        self.features = FEATURES

    def forward(self, images):
        return self.layer(images)


def pose_runner(cls: type, _: Path) -> None:
    def component(kind: str, name: str, *supplied: object, **options: Any) -> Any:
        return HOST.find(kind, name).component.load()(*supplied, **options)

    parts = HeadParts(
        component("target_generators", "HeatmapGaussianGenerator", TASK, generate_locref=False),
        {"heatmap": Loss(component("criteria", "WeightedMSECriterion"))},
        component("predictors", "HeatmapPredictor", TASK, location_refinement=False),
    )
    bodypart = component(
        "heads", "HeatmapHead", FEATURES, TASK, heatmap_config={**DOUBLING, "channels": [8, 3]}
    )
    model = PoseModel(FourCells(), None, {"bodypart": bodypart}, {"bodypart": parts})
    batch = fake_batch(TASK, normalised=True)
    labels = batch.labels
    records = [
        Record(
            image=Path(f"{i}.png"),
            size=(64, 64),
            keypoints=labels.keypoints[i].numpy(),
            unique_keypoints=np.zeros((0, 3), np.float32),
            individual_ids=labels.individual_ids[i].numpy(),
        )
        for i in batch.indices.tolist()
    ]
    check_runner(cls(model, TASK, nullcontext), batch, records)


def sequential(cls: type, _: Path) -> None:
    limbs = HOST.find("target_generators", "PartAffinityFieldGenerator").component.load()
    plateaus = HOST.find("target_generators", "HeatmapPlateauGenerator").component.load()
    for stride in (STRIDE, 3):
        generator = cls(
            TWO_ANIMALS, generators=[plateaus(TWO_ANIMALS), limbs(TWO_ANIMALS, graph=GRAPH)]
        )
        check_target_generator(generator, stride, maps(heatmap=3, locref=6, paf=4), TWO_ANIMALS)


def detector_runner(cls: type, _: Path) -> None:
    model = HOST.find("detectors", "SSDLite").component.load()(pretrained=False)
    batch = fake_batch(TWO_ANIMALS, normalised=True)
    labels = batch.labels
    records = [
        Record(
            image=Path(f"{i}.png"),
            size=(64, 64),
            keypoints=labels.keypoints[i].numpy(),
            unique_keypoints=labels.unique_keypoints[i].numpy(),
            individual_ids=labels.individual_ids[i].numpy(),
        )
        for i in batch.indices.tolist()
    ]
    check_runner(cls(model, TWO_ANIMALS, nullcontext), batch, records)


DOUBLING = {"kernel_size": [3], "strides": [2]}
GRAPH = [[0, 1], [2, 1]]
BINS = dict.fromkeys("xy", torch.randn(2, 3, 128, generator=torch.Generator().manual_seed(0)))
TOKENS = {
    "feature_size": [8, 8],
    "patch_size": [2, 4],
    "num_keypoints": 3,
    "channels": 8,
    "dim": 8,
    "depth": 2,
    "heads": 2,
}

CHECKS: dict[str, dict[str, list[Check]]] = {
    "backbones": {
        "CondPreNet": [conditional(backbone=FourCells())],
        "HRNetCoAM": [
            conditional(base_model_name="hrnet_w18_small", img_size=[64, 64], odd_size=False),
        ],
        "CSPNeXt": [
            backbone(deepen_factor=0.1, widen_factor=0.125),
            backbone(deepen_factor=0.1, widen_factor=0.125, out_indices=[0, 2, 4]),
            backbone(deepen_factor=0.1, widen_factor=0.125, arch="P6", norm_layer="BN"),
        ],
        "DLCRNet": [backbone(model_name="resnet50", output_stride=16)],
        "HRNet": [
            backbone(model_name="hrnet_w18_small"),
            backbone(model_name="hrnet_w18_small", interpolate_branches=True),
        ],
        "ResNet": [
            backbone(model_name="resnet10t", output_stride=16),
        ],
        "TimmBackbone": [
            backbone(model_name="mobilenetv3_small_050"),
            backbone(model_name="mobilenetv3_small_050", out_indices=[1, 2, 3]),
            backbone(model_name="test_vit", out_indices=[1]),
        ],
    },
    "necks": {
        "FeaturePyramid": [
            neck(features=THREE_MAPS, channels=6),
            neck(features=THREE_MAPS, channels=6, stride=8, interpolation="bilinear"),
            neck(features=THREE_MAPS, channels=6, normalize=True, relu=True),
        ],
        "Transformer": [
            neck(odd_size=False, pos_embedding_type=places, **TOKENS)
            for places in ("sine-full", "sine", "learnable")
        ],
    },
    "heads": {
        "DEKRHead": [
            head(
                heatmap_config={"channels": [8, 6, 4]},
                offset_config={"channels": [8, 12, 3], "num_offset_per_kpt": 4},
            ),
        ],
        "DLCRNetHead": [
            head(
                heatmap_config={**DOUBLING, "channels": [8, 3]},
                locref_config={**DOUBLING, "channels": [8, 6]},
                paf_config={**DOUBLING, "channels": [8, 4]},
                num_stages=stages,
                features_dim=6,
            )
            for stages in (0, 2)
        ],
        "HeatmapHead": [
            head(heatmap_config={**DOUBLING, "channels": [8, 3]}),
            head(
                heatmap_config={**DOUBLING, "channels": [8, 3]},
                locref_config={**DOUBLING, "channels": [8, 6]},
            ),
            head(
                heatmap_config={
                    "channels": [8],
                    "final_conv": {"out_channels": 3, "kernel_size": 1},
                }
            ),
        ],
        "RTMCCHead": [
            head(odd_size=False, input_size=[64, 64], out_channels=3, gau_cfg=gau)
            for gau in (None, {"use_rel_bias": True, "pos_enc": True, "act_fn": "ReLU"})
        ],
        "TransformerHead": [
            head(
                features=FeatureSpec(channels=24, stride=8, tokens=3),
                dim=8,
                hidden_heatmap_dim=48,
                heatmap_dim=16,
                apply_multi=several,
                heatmap_size=[4, 4],
                apply_init=True,
            )
            for several in (False, True)
        ],
    },
    "target_generators": {
        "DEKRGenerator": [
            targets(TASK, maps(heatmap=4, offset=6)),
            targets(TWO_ANIMALS, maps(heatmap=4, offset=6), pos_dist_thresh=9),
        ],
        "PartAffinityFieldGenerator": [
            targets(TASK, maps(paf=4), graph=GRAPH),
            targets(TWO_ANIMALS, maps(paf=4), graph=GRAPH, width=9),
        ],
        "SequentialGenerator": [sequential],
        "SimCCGenerator": [
            targets(TASK, BINS, input_size=[64, 64]),
            targets(TASK, BINS, input_size=[64, 64], normalize=False, sigma=[4.0, 6.0]),
            targets(TASK, BINS, input_size=[64, 64], smoothing_type="standard"),
        ],
        **{
            name: [
                targets(),
                targets(TWO_ANIMALS),
                targets(TWO_ANIMALS, gradient_masking=True),
                targets(
                    TWO_ANIMALS,
                    maps(heatmap=2),
                    heatmap_mode="INDIVIDUAL",
                    generate_locref=False,
                ),
                targets(
                    TWO_ANIMALS,
                    maps(heatmap=2, locref=4),
                    label_keypoint_key="keypoints_unique",
                ),
            ]
            for name in ("HeatmapGaussianGenerator", "HeatmapPlateauGenerator")
        },
    },
    "predictors": {
        "DEKRPredictor": [
            predictor(maps(heatmap=4, offset=6)),
            predictor(maps(heatmap=4, offset=6), apply_sigmoid=False, use_heatmap=False),
        ],
        "PartAffinityFieldPredictor": [
            predictor(maps(heatmap=3, locref=6, paf=4), task=task, graph=GRAPH, **options)
            for task in (TASK, TWO_ANIMALS)
            for options in ({}, {"edges_to_keep": [1], "apply_sigmoid": False}, {"nms_radius": 1})
        ],
        "SimCCPredictor": [
            predictor(BINS),
            predictor(BINS, apply_softmax=False, normalize_outputs=True),
        ],
        "HeatmapPredictor": [
            predictor(),
            predictor(apply_sigmoid=False, clip_scores=True),
            predictor(maps(heatmap=3), location_refinement=False),
        ],
        "IdentityPredictor": [predictor(maps(heatmap=2), gives_poses=False)],
    },
    "criteria": {
        "DEKRHeatmapLoss": [criterion()],
        "DEKROffsetLoss": [criterion(), criterion(beta=0.5)],
        "KLDiscreteLoss": [
            criterion((2, 3, 8)),
            criterion((2, 3, 8), label_softmax=True, mask=[1], mask_weight=0.5, batch_average=True),
        ],
        "WeightedMSECriterion": [criterion()],
        "WeightedHuberCriterion": [criterion()],
        "WeightedBCECriterion": [criterion()],
    },
    "weight_initializers": {
        "Dekr": [initializer(), initializer(std=0.1)],
        "Normal": [initializer(), initializer(std=0.1)],
        "Rtmpose": [initializer()],
    },
    "transforms": {
        "affine": [
            transform(p=1.0, rotation=30, scaling=[0.5, 1.25], translation=4),
            transform(),
        ],
        "auto_padding": [
            transform(pad_height_divisor=32, pad_width_divisor=32),
        ],
        "covering": [transform(p=1.0)],
        "crop_sampling": [
            transform(width=64, height=48, max_shift=0.1, method=method)
            for method in ("uniform", "keypoints", "density", "hybrid")
        ],
        "elastic_transform": [transform(affine=False)],
        "gaussian_noise": [transform()],
        "gen_sampling": [transform()],
        "grayscale": [transform()],
        "hflip": [transform(), transform(symmetries=[[0, 1]], unique_symmetries=[[0, 1]])],
        "hist_eq": [transform()],
        "longest_max_size": [transform(size=120), transform(size=50)],
        "motion_blur": [transform()],
        "random_bbox_transform": [transform()],
        "resize": [
            transform(height=64, width=120),
            transform(height=64, width=64, keep_ratio=False),
        ],
        "scale_jitter": [transform()],
    },
    "collates": {
        "ResizeFromDataSizeCollate": [
            collate(min_scale=0.4, max_scale=1.0, multiple_of=32),
            collate(min_scale=1.0, max_scale=1.5, min_short_side=32, to_square=True),
        ],
        "ResizeFromListCollate": [collate(scales=[48, 64]), collate(scales=[[48, 64]])],
    },
    "schedulers": {
        "LRListScheduler": [scheduler(milestones=[2, 4], lr_list=[[0.01], [0.001]])],
    },
    "callbacks": {
        "EarlyStopping": [
            callback(patience=2),
            callback(metric="test.mAP", mode="min", patience=1),
        ],
        "ExponentialMovingAverage": [callback(decay=0.5), callback(evaluate=False)],
        "FreezeBackbone": [callback(epochs=2)],
        "LearningRateFinder": [callback(steps=30), callback(steps=60, end=10.0, apply=True)],
        "SamplePictures": [callback(interval=2)],
    },
    "loggers": {
        "CSVLogger": [logger(), logger(log_filename="other.csv")],
        "WandbLogger": [logger(project_name="tests", tags=["contract"], image_log_interval=2)],
        "TensorBoardLogger": [logger(), logger(image_log_interval=1, folder_name="events")],
    },
    "datasets": {"DLCLoader": [deeplabcut_project], "COCOLoader": [coco_folder]},
    "detectors": {
        "FCOS": [detector(min_size=64)],
        "FasterRCNN": [
            detector(variant="fasterrcnn_mobilenet_v3_large_320_fpn", min_size=64),
            detector(variant="fasterrcnn_mobilenet_v3_large_fpn", min_size=64),
            detector(variant="fasterrcnn_resnet50_fpn", min_size=64),
            detector(variant="fasterrcnn_resnet50_fpn_v2", min_size=64),
        ],
        "RetinaNet": [
            detector(variant="retinanet_resnet50_fpn", min_size=64),
            detector(variant="retinanet_resnet50_fpn_v2", min_size=64),
        ],
        "SSDLite": [detector(), detector(classes=["dog", "cat"], max_detections=5)],
    },
    "prediction_writers": {
        "coco": [prediction_writer()],
        "deeplabcut": [prediction_writer(), prediction_writer(csv=False, scorer="someone")],
        "labelled_video": [prediction_writer()],
        "parquet": [prediction_writer()],
    },
    "evaluation_writers": {"deeplabcut": [evaluation_writer(), evaluation_writer(scorer="me")]},
    "exporters": {"onnx": [exporter], "torch_export": [exporter]},
    "inference_backends": {"onnxruntime": [inference_backend], "torch_export": [inference_backend]},
    "trackers": {"oks": [tracker(), tracker(inertia=0, min_similarity=0.5)]},
    "runners": {
        "DetectorTrainingRunner": [detector_runner],
        "PoseTrainingRunner": [pose_runner],
    },
    "net_types": {
        "dlcrnet_stride16_ms5": [net_type_for_several],
        "dlcrnet_stride32_ms5": [net_type_for_several],
        **{
            name: [net_type, net_type_for_several]
            for name in (
                "dekr_w18",
                "dekr_w32",
                "dekr_w48",
                *("cspnext_s", "cspnext_m", "cspnext_x"),
                *("hrnet_w18", "hrnet_w32", "hrnet_w48"),
                *("resnet_50", "resnet_101"),
                *("light_efficientnet", "convnext_t", "dinov2_s"),
            )
        },
        **{
            name: [net_type, net_type_for_crops]
            for name in (
                *("top_down_cspnext_s", "top_down_cspnext_m", "top_down_cspnext_x"),
                *("top_down_hrnet_w18", "top_down_hrnet_w32", "top_down_hrnet_w48"),
                *("top_down_resnet_50", "top_down_resnet_101"),
                *("rtmpose_s", "rtmpose_m", "rtmpose_x", "animaltokenpose_base"),
                "simcc_dinov2_s",
                *("ctd_coam_w32", "ctd_coam_w48", "ctd_coam_w48_human"),
                *("ctd_prenet_hrnet_w32", "ctd_prenet_hrnet_w48"),
                *("ctd_prenet_rtmpose_s", "ctd_prenet_rtmpose_m"),
                *("ctd_prenet_rtmpose_x", "ctd_prenet_rtmpose_x_human"),
            )
        },
    },
}


def test_no_bundled_plugin_fails_to_load():
    assert HOST.failures == []


def test_installed_entry_points_are_those_of_pyproject():
    """A plugin added to pyproject.toml is invisible until dlcore is installed again."""
    tomllib = pytest.importorskip("tomllib")

    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = tomllib.loads(text)["project"]["entry-points"][ENTRY_POINT_GROUP]
    installed = {entry_point.name: entry_point.value for entry_point in BUNDLED}
    assert installed == declared, "run: pip install -e ."


@pytest.mark.parametrize(("kind", "entry"), OFFERS, ids=NAMES)
def test_every_offer_is_real_and_described(kind, entry):
    check_component(kind, entry.component.load())
    assert entry.component.summary.endswith(".")
    assert len(entry.component.summary) <= 80, "a summary is one line of `dlcore list`"


@pytest.mark.parametrize(("kind", "entry"), OFFERS, ids=NAMES)
def test_every_offer_keeps_the_contract_of_its_kind(kind, entry, tmp_path):
    checks = CHECKS.get(kind, {}).get(entry.name)
    if checks is None:
        pytest.fail(f"add {entry.name!r} to CHECKS[{kind!r}] in {Path(__file__).name}")
    cls = entry.component.load()
    for number, check in enumerate(checks):
        check(cls, tmp_path / str(number))


def test_the_table_names_only_what_is_offered():
    offered = {(kind, entry.name) for kind, entry in OFFERS}
    listed = {(kind, name) for kind, checks in CHECKS.items() for name in checks}
    assert listed <= offered
    assert set(CHECKS) <= set(KINDS)


@pytest.mark.parametrize("name", ["HeatmapGaussianGenerator", "HeatmapPlateauGenerator"])
def test_heatmap_targets_are_decoded_to_what_was_labelled(name):
    generator = HOST.find("target_generators", name).component.load()(TASK)
    predictor = HOST.find("predictors", "HeatmapPredictor").component.load()(TASK)
    outputs = maps(heatmap=3, locref=6)

    check_round_trip(generator, predictor, STRIDE, outputs, TASK, tolerance=1e-3)
