"""A config with fake components, and mistakes in it."""

from __future__ import annotations

PARTS = """
    from __future__ import annotations
    import torch
    from collections.abc import Sequence
    from typing import Literal
    from dlcore.interfaces import *

    class Net(Backbone):
        def __init__(self, *, model_name: str, pretrained: bool | str | None = None, **kwargs):
            super().__init__(**kwargs)

    class Top(Head):
        def __init__(self, features, task, *, channels: Sequence[int], size: int = 1): pass

    class Decode(Predictor):
        def __init__(self, task, *, sigmoid: bool = True): pass

    class Make(TargetGenerator):
        def __init__(self, task, *, mode: Literal["KEYPOINT", "INDIVIDUAL"] = "KEYPOINT"): pass

    class Many(TargetGenerator):
        def __init__(self, task, *, generators: Sequence[TargetGenerator]): pass

    class MSE(Criterion): pass

    class Normal(WeightInitializer):
        def __init__(self, *, std: float = 0.001): pass

    class Affine(Transform):
        def __init__(self, task, *, p: float = 0.9, scaling: Sequence[float] | None = None): pass

    class Noise(Transform):
        def __init__(self, task, *, sigma: float = 12.75, p: float = 0.5): pass

    class Collate(Collate):
        def __init__(self, *, min_scale: float): pass

    class Log(Logger):
        def __init__(self, run, *, project: str = "p", **kwargs): pass

    class Watch(Callback):
        def __init__(self, *, patience: int = 3): pass

    class Data(PoseDataset):
        def __init__(self, context, *, root: str): pass

    class LRListScheduler(Scheduler):
        def __init__(self, optimizer, *, milestones: Sequence[int],
                     lr_list: Sequence[Sequence[float]]): pass

    class Find(Detector):
        def __init__(self, *, variant: str | None = None, box_score_thresh: float = 0.01): pass

    class Architecture(NetType):
        def config(self, task):
            return {
                "method": "bu",
                "model": {
                    "backbone": {"type": "Net", "model_name": "small"},
                    "heads": {"bodypart": {
                        "type": "Top", "channels": [len(task.keypoints)],
                        "predictor": {"type": "Decode"},
                        "target_generator": {"type": "Make"},
                        "criterion": {"type": "MSE"},
                    }},
                },
                "data": {"train": {"affine": {"p": 0.5}}},
                "runner": {"optimizer": {"type": "AdamW", "params": {"lr": 5e-4}}},
            }
"""

GOOD = """\
net_type: resnet_50
method: bu
metadata:
  bodyparts: [nose, tail]
model:
  backbone:
    type: Net
    model_name: big
  heads:
    bodypart:
      type: Top
      channels: [2048, num_bodyparts, num_bodyparts x 2]
      weight_init: normal
      predictor:
        type: Decode
      target_generator:
        type: Many
        generators:
        - type: Make
      criterion:
        heatmap:
          type: MSE
          weight: 1.0
data:
  train:
    affine:
      p: 0.5
    noise: 12.75
    collate:
      type: Collate
      min_scale: 0.4
runner:
  optimizer:
    type: AdamW
    params:
      lr: 1e-4
  scheduler:
    type: LRListScheduler
    params:
      milestones: [160]
      lr_list: [[1e-05]]
train_settings:
  epochs: 20
logger:
"""


def change(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def case(old, new, key, words, at=None):
    """A mistake put into GOOD, and the line it is on: that of `at`, or of the end of `new`."""
    text = change(old, new)
    mark = at or new.strip().splitlines()[-1].strip()
    lines = [n for n, line in enumerate(text.splitlines(), 1) if mark in line]
    assert len(lines) == 1, mark
    return text, lines[0], key, words


HEAD = "model.heads.bodypart"
MISTAKES = {
    "a section": case("metadata:", "metdata:", "metdata", "did you mean 'metadata'?"),
    "a core key": case("epochs: 20", "epoch: 20", "train_settings.epoch", "mean 'epochs'?"),
    "a core key far off": case(
        "epochs: 20", "zzz: 20", "train_settings.zzz", "known here: batch_size, cache_gb"
    ),
    "a type": case(
        "epochs: 20", "epochs: many", "train_settings.epochs",
        "must be a whole number, not 'many'",
    ),
    "a range": case(
        "epochs: 20", "epochs: -1", "train_settings.epochs",
        "must be greater than or equal to 0, not -1",
    ),
    "a choice": case(
        "method: bu", "method: tdd", "method",
        "must be 'bu', 'td' or 'ctd', not 'tdd'; did you mean 'td'?",
    ),
    "a device": case("method: bu", "device: gpu", "device", "must be 'auto'"),
    "a section that is no map": case(
        "train_settings:\n  epochs: 20", "train_settings:\n  - 5", "train_settings",
        "must be a map, not [5]", at="train_settings:",
    ),
    "a backbone's option": case(
        "model_name: big", "model_name: big\n    pretraned: true", "model.backbone.pretraned",
        "did you mean 'pretrained'?",
    ),
    "an option of a backbone's base": case(
        "model_name: big", "model_name: big\n    freeze_bn_stat: true",
        "model.backbone.freeze_bn_stat", "did you mean 'freeze_bn_stats'?",
    ),
    "a missing option": case(
        "    model_name: big\n", "", "model.backbone", "missing key 'model_name'", at="backbone:"
    ),
    "a head's option": case(
        "channels: [2048", "chanels: [2048", f"{HEAD}.chanels", "did you mean 'channels'?"
    ),
    "an item of a list": case(
        "[2048, ", "[2048, x, ", f"{HEAD}.channels[1]", "must be a whole number, not 'x'"
    ),
    "an unknown placeholder": case(
        "num_bodyparts x 2", "num_tails", f"{HEAD}.channels[2]", "not 'num_tails'"
    ),
    "a predictor's type": case(
        "type: Decode", "type: Decoder", f"{HEAD}.predictor.type", "did you mean 'Decode'?"
    ),
    "a predictor's option": case(
        "type: Decode", "type: Decode\n        sigmod: 1", f"{HEAD}.predictor.sigmod",
        "did you mean 'sigmoid'?",
    ),
    "a nested block": case(
        "- type: Make", "- type: Make\n          mod: x",
        f"{HEAD}.target_generator.generators[0].mod", "did you mean 'mode'?",
    ),
    "a nested type": case(
        "- type: Make", "- type: Mkae", f"{HEAD}.target_generator.generators[0].type",
        "did you mean 'Make'?",
    ),
    "a criterion's option": case(
        "weight: 1.0", "wieght: 1.0", f"{HEAD}.criterion.heatmap.wieght", "mean 'weight'?"
    ),
    "a criterion's weight": case(
        "weight: 1.0", "weight: much", f"{HEAD}.criterion.heatmap.weight", "must be a number"
    ),
    "a criterion's weight below 0": case(
        "weight: 1.0", "weight: -1.0", f"{HEAD}.criterion.heatmap.weight",
        "must be a number of at least 0, not -1.0",
    ),
    "a criterion's type": case(
        "type: MSE", "type: MES", f"{HEAD}.criterion.heatmap.type", "did you mean 'MSE'?"
    ),
    "a weight initializer": case(
        "weight_init: normal", "weight_init: nrmal", f"{HEAD}.weight_init",
        "did you mean 'Normal'?",
    ),
    "a missing part": case(
        "      predictor:\n        type: Decode\n", "", HEAD, "missing key 'predictor'",
        at="bodypart:",
    ),
    "a misspelt part": case(
        "predictor:", "predicter:", f"{HEAD}.predicter", "did you mean 'predictor'?"
    ),
    "no type": case("    type: Net\n", "", "model.backbone", "missing key 'type'", at="backbone:"),
    "a transform": case("affine:", "afine:", "data.train.afine", "did you mean 'affine'?"),
    "a transform's option": case(
        "p: 0.5", "pp: 0.5", "data.train.affine.pp", "unknown key 'pp'; did you mean 'p'?"
    ),
    "a transform's value": case(
        "noise: 12.75", "noise: loud", "data.train.noise", "must be a number, not 'loud'"
    ),
    "a core key beside transforms": case(
        "noise: 12.75", "normalise_images: true", "data.train.normalise_images",
        "did you mean 'normalize_images'?",
    ),
    "a collate": case(
        "min_scale: 0.4", "min_scle: 0.4", "data.train.collate.min_scle",
        "did you mean 'min_scale'?",
    ),
    "an optimizer": case(
        "type: AdamW", "type: AdamWW", "runner.optimizer.type", "did you mean 'AdamW'?"
    ),
    "an optimizer's option": case(
        "lr: 1e-4", "lrr: 1e-4", "runner.optimizer.params.lrr", "did you mean 'lr'?"
    ),
    "a scheduler": case(
        "LRListScheduler", "LRListSchedule", "runner.scheduler.type", "mean 'LRListScheduler'?"
    ),
    "a scheduler's option": case(
        "milestones:", "milestone:", "runner.scheduler.params.milestone", "mean 'milestones'?"
    ),
    "a logger": case("logger:", "logger:\n  type: Logg", "logger.type", "did you mean 'Log'?"),
    "one of several loggers": case(
        "logger:", "logger:\n- type: Log\n- type: Logg", "logger[1].type", "did you mean 'Log'?"
    ),
    "a callback": case(
        "logger:", "callbacks: [{type: Wach}]", "callbacks[0].type", "did you mean 'Watch'?"
    ),
    "a callback's option": case(
        "logger:", "callbacks: [{type: Watch}, {type: Watch, patienc: 2}]",
        "callbacks[1].patienc", "did you mean 'patience'?",
    ),
    "a callback's stage": case(
        "logger:", "callbacks: [{type: Watch, stage: both}]", "callbacks[0].stage",
        "must be 'pose' or 'detector', not 'both'",
    ),
    "a single callback": case("logger:", "callbacks: {type: Watch}", "callbacks", "must be a list"),
    "a norm that is none": case(
        "runner:", "runner:\n  max_gradient_norm: 0", "runner.max_gradient_norm", "greater than 0"
    ),
    "no batches": case(
        "runner:", "runner:\n  accumulate_batches: 0", "runner.accumulate_batches", "equal to 1"
    ),
    "a dataset's option": case(
        "logger:", "dataset: {type: Data, rot: x}", "dataset.rot", "did you mean 'root'?"
    ),
    "a detector's option": case(
        "logger:", "detector: {model: {type: Find, variant: 5}}", "detector.model.variant",
        "must be text, not 5",
    ),
    "a runner": case(
        "runner:", "runner:\n  type: PoseTrainRunner", "runner.type",
        "did you mean 'PoseTrainingRunner'?",
    ),
}  # fmt: skip
