from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest

from dlcore import Component, ConfigError
from dlcore.config.loading import Provenance, load_config

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


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """A folder on the path with the module of fakes, and what it offers."""
    folder = tmp_path_factory.mktemp("fakes")
    (folder / "fake_parts_for_loading.py").write_text(textwrap.dedent(PARTS))
    sys.path.insert(0, str(folder))

    def component(name: str, cls: str | None = None) -> Component:
        return Component(name, f"fake_parts_for_loading:{cls or name}")

    yield {
        "backbones": [component("Net")],
        "heads": [component("Top")],
        "predictors": [component("Decode")],
        "target_generators": [component("Make"), component("Many")],
        "criteria": [component("MSE")],
        "weight_initializers": [component("Normal")],
        "transforms": [component("affine", "Affine"), component("noise", "Noise")],
        "collates": [component("Collate")],
        "loggers": [component("Log")],
        "datasets": [component("Data")],
        "schedulers": [component("LRListScheduler")],
        "detectors": [component("Find")],
        "net_types": [component("small", "Architecture")],
        "runners": [component("PoseTrainingRunner", "Net"), component("DetectorTrainingRunner")],
    }
    sys.path.remove(str(folder))


@pytest.fixture
def load(fakes, host_of, tmp_path):
    def run(text, *overrides):
        path = tmp_path / "pytorch_config.yaml"
        path.write_text(text)
        return load_config(path, host_of(**fakes), overrides)

    return run


def problems_of(load, text, *overrides):
    with pytest.raises(ConfigError) as error:
        load(text, *overrides)
    return [(p.line, p.key, p.message) for p in error.value.problems]


def test_a_good_file_loads_with_defaults(load):
    loaded = load(GOOD)
    assert loaded.config.model.backbone == {"type": "Net", "model_name": "big"}
    assert loaded.config.data.train.transforms == {"affine": {"p": 0.5}, "noise": 12.75}
    assert loaded.config.runner.optimizer.params == {"lr": 1e-4}
    assert loaded.config.train_settings.batch_size == 8
    assert loaded.notices == []
    assert loaded.values["logger"] is None


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


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES.values(), ids=MISTAKES)
def test_one_mistake_is_one_problem_with_line_and_key(load, text, line, key, words):
    problems = problems_of(load, text)
    assert [(found_line, found_key) for found_line, found_key, _ in problems] == [(line, key)]
    assert words in problems[0][2]


def test_all_problems_come_at_once_in_the_order_of_the_file(load):
    text = (
        GOOD.replace("epochs: 20", "epoch: 20")
        .replace("lr: 1e-4", "lrr: 1e-4")
        .replace("method: bu", "method: xx")
        .replace("type: Net", "type: Nett")
    )
    problems = problems_of(load, text, "runner.eval_interval=0", "a.b", "metadata.nam=1")
    keys = [key for _, key, _ in problems]
    assert keys == [
        "method", "model.backbone.type", "runner.optimizer.params.lrr", "train_settings.epoch",
        "--set", "metadata.nam", "runner.eval_interval",
    ]  # fmt: skip
    assert [line for line, _, _ in problems[:4]] == sorted(line for line, _, _ in problems[:4])
    assert problems[6][2].endswith("(from --set)")


def test_the_message_holds_file_line_key_and_remedy(load, tmp_path):
    with pytest.raises(ConfigError) as error:
        load(change("epochs: 20", "epoch: 20"))
    path = tmp_path / "pytorch_config.yaml"
    line = GOOD.splitlines().index("  epochs: 20") + 1
    assert str(error.value) == (
        f"{path}:{line}: train_settings.epoch: unknown key 'epoch'; did you mean 'epochs'?"
    )


@pytest.mark.parametrize("text", ["a: 1\n", "net_type:\n", "model:\n"])
def test_a_file_without_model_and_net_type_is_told_what_is_missing(load, text):
    assert any("missing key 'model'" in message for _, _, message in problems_of(load, text))


def test_an_empty_model_lists_its_parts(load):
    text = "model: {backbone_output_channels: 5}\n"
    messages = [message for _, _, message in problems_of(load, text)]
    assert messages == ["missing key 'backbone'", "missing key 'heads'"]


def test_an_unknown_component_is_one_problem_whatever_else_its_block_holds(load):
    text = GOOD.replace("type: Net", "type: Unheard").replace("model_name: big", "x: {type: 1}")
    problems = problems_of(load, text)
    assert [key for _, key, _ in problems] == ["model.backbone.type"]
    assert "no plugin offers a backbone named 'Unheard'" in problems[0][2]


def test_a_block_of_the_wrong_shape_is_one_problem(load):
    text = GOOD.replace("    type: Net\n    model_name: big\n", "  - 5\n")
    assert [key for _, key, _ in problems_of(load, text)] == ["model.backbone"]


NESTED = """
  scheduler:
    type: SequentialLR
    params:
      schedulers:
      - type: LinearLR
        params: {{start_factor: 0.1, {first}}}
      - type: LRListScheduler
        params: {{milestones: [0], {second}}}
      - type: {third}
        params:
      milestones: [5, 6]
"""


def nested(first="total_iters: 5", second="lr_list: [[1e-5]]", third="CosineAnnealingLR"):
    head, _, tail = GOOD.partition("\n  scheduler:")
    rest = tail[tail.index("train_settings:") :]
    return head + NESTED.format(first=first, second=second, third=third) + rest


def test_schedulers_in_schedulers_are_checked(load):
    text = nested(third="ConstantLR")
    assert load(text).config.runner.scheduler.type == "SequentialLR"
    place = "runner.scheduler.params.schedulers"
    assert [key for _, key, _ in problems_of(load, nested(first="total_iter: 5"))] == [
        f"{place}[0].params.total_iter", f"{place}[2].params"
    ]  # fmt: skip
    found = problems_of(load, nested(second="lr_lst: [[1e-5]]", third="ConstanLR"))
    assert [key for _, key, _ in found] == [
        f"{place}[1].params.lr_lst", f"{place}[2].type"
    ]  # fmt: skip
    assert "did you mean 'ConstantLR'?" in found[1][2]


def test_null_parameters_are_no_parameters(load):
    loaded = load(change("    params:\n      lr: 1e-4\n", "    params:\n"))
    assert loaded.config.runner.optimizer.params == {}


def test_overrides_change_values_and_their_provenance(load):
    loaded = load(GOOD, "runner.optimizer.params.lr=1e-3", "train_settings.batch_size=2")
    assert loaded.config.runner.optimizer.params == {"lr": 1e-3}
    assert loaded.config.train_settings.batch_size == 2
    assert loaded.values["train_settings"] == {"epochs": 20, "batch_size": 2}
    assert loaded.provenance["runner.optimizer.params.lr"] == Provenance("set")
    assert loaded.provenance["runner.optimizer.type"].source == "file"
    assert loaded.line("runner.optimizer.params.lr") is None


def test_an_override_replaces_a_whole_block(load):
    loaded = load(GOOD, "runner.scheduler={type: StepLR, params: {step_size: 5}}")
    assert loaded.config.runner.scheduler.type == "StepLR"
    assert loaded.provenance["runner.scheduler.params.step_size"] == Provenance("set")
    assert "runner.scheduler.params.milestones" not in loaded.provenance


def test_a_wrong_override_names_its_key_and_no_line(load):
    found = problems_of(load, GOOD, "runner.optimizer.params.lrr=1")
    assert found[0][:2] == (None, "runner.optimizer.params.lrr")
    assert found[0][2].endswith("did you mean 'lr'? (from --set)")


def test_provenance_tells_file_set_and_default(load):
    loaded = load(GOOD, "device=cpu")
    assert loaded.provenance["method"] == Provenance("file", 2)
    assert loaded.provenance["device"] == Provenance("set")
    assert loaded.provenance["train_settings.seed"] == Provenance("default")
    assert {item.source for item in loaded.provenance.values()} == {"file", "set", "default"}


def test_lines_are_those_of_the_key_or_of_what_holds_it(load):
    loaded = load(GOOD)
    assert loaded.line("model.backbone.type") == 7
    assert loaded.line("model.backbone.pretrained") == 6
    assert loaded.line("model.heads.bodypart.channels[0]") == 12
    assert loaded.line("nothing") is None
    error = loaded.problem("model.backbone.pretrained", "no weights")
    assert str(error) == f"{loaded.path}:6: model.backbone.pretrained: no weights"
    located = loaded.located(ConfigError(error.problems))
    assert str(located) == str(error)


def test_old_names_are_understood_and_announced(load):
    text = change("  bodyparts: [nose, tail]", "  bodyparts: [nose]\n  uniquebodyparts: [lamp]\n"
                  "  identity: true")  # fmt: skip
    loaded = load(text.replace("resnet_50", "top_down_dlcrnet_ms5").replace("method: bu\n", ""))
    metadata = loaded.config.metadata
    assert (metadata.unique_bodyparts, metadata.with_identity) == (["lamp"], True)
    assert (loaded.config.net_type, loaded.config.method) == ("dlcrnet_stride16_ms5", "td")
    assert loaded.line("metadata.unique_bodyparts") == 4
    assert len(loaded.notices) == 3
    assert "metadata.identity is an old name of metadata.with_identity" in loaded.notices


def test_an_old_and_a_new_name_together_are_an_error(load):
    text = change("  bodyparts: [nose, tail]", "  with_identity: true\n  identity: true")
    found = problems_of(load, text)
    assert [key for _, key, _ in found] == ["metadata.identity"]


def test_keys_without_effect_are_announced_when_they_are_set_to_something(load):
    silent = GOOD.replace("runner:\n", "runner:\n  device: auto\n  load_weights_only:\n", 1)
    silent += "inference:\n  eval: {mode: all, pcutoff: 0.6}\n  snapshot:\n  output_dir:\n"
    assert load(silent).notices == []
    loud = GOOD.replace("runner:\n", "runner:\n  device: cpu\n  load_head_weights: false\n", 1)
    loud += "inference:\n  eval: {mode: train}\n  snapshot: 3\n"
    loud = loud.replace("\ndata:\n", "\ndata:\n  loader: {type: DLCLoader}\n")
    notices = load(loud).notices
    assert [notice.split(" ")[0] for notice in notices] == [
        "runner.device", "runner.load_head_weights", "data.loader", "inference.snapshot",
        "inference.eval",
    ]  # fmt: skip
    assert "(line 34)" in notices[0]


def test_a_net_type_stands_for_a_missing_model(load):
    text = "net_type: small\nmetadata: {bodyparts: [a, b, c]}\nrunner:\n  optimizer:\n"
    text += "    params: {weight_decay: 0.1}\n"
    loaded = load(text)
    assert loaded.config.model.heads["bodypart"]["channels"] == [3]
    assert loaded.config.runner.optimizer.params == {"lr": 5e-4, "weight_decay": 0.1}
    assert loaded.provenance["model.backbone.type"] == Provenance("net_type")
    assert loaded.provenance["runner.optimizer.params.lr"] == Provenance("net_type")
    assert loaded.provenance["runner.optimizer.params.weight_decay"] == Provenance("file", 5)
    assert loaded.values["net_type"] == "small"
    assert "model" not in loaded.values


def test_a_file_that_chooses_another_component_gets_none_of_the_net_types_options(load):
    text = "net_type: small\nmetadata: {bodyparts: [a]}\nrunner: {optimizer: {type: SGD}}\n"
    assert load(text).config.runner.optimizer.params == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("net_type: smal\nmetadata: {bodyparts: [a]}\n", "did you mean 'small'?"),
        ("net_type: small\n", "only where metadata.bodyparts says"),
        ("net_type: small\nmetadata: {bodyparts: []}\n", "only where metadata.bodyparts says"),
    ],
)
def test_a_net_type_that_cannot_stand_for_the_model_says_why(load, text, words):
    found = problems_of(load, text)
    assert [key for _, key, _ in found] == ["net_type"]
    assert words in found[0][2]


PLUGIN = """
from dlcore import Component, hookimpl
from dlcore.interfaces import Transform

@hookimpl
def register_transforms():
    return [Component("sparkle", "{name}:Sparkle", "Adds sparkle.")]

class Sparkle(Transform):
    def __init__(self, task, *, amount: float = 1.0): pass
    def __call__(self, sample, rng): return sample
"""


def test_plugin_files_beside_the_config_are_loaded(load, tmp_path, monkeypatch):
    name = "plugin_file_for_test_loading"
    (tmp_path / f"{name}.py").write_text(PLUGIN.replace("{name}", name))
    text = change("noise: 12.75", "sparkle: 3") + f"plugins: [{name}.py]\n"
    try:
        assert load(text).config.data.train.transforms["sparkle"] == 3
        found = problems_of(load, text.replace("sparkle: 3", "sparkle: x"))
    finally:
        sys.modules.pop(name, None)
    assert [key for _, key, _ in found] == ["data.train.sparkle"]


def test_a_missing_plugin_file_is_a_problem_of_its_line(load):
    found = problems_of(load, GOOD + "plugins: [nowhere.py]\n")
    assert found[0][:2] == (45, "plugins[0]")


def test_a_usual_file_loads_quickly(load):
    load(GOOD)
    start = time.perf_counter()
    load(GOOD)
    assert time.perf_counter() - start < 0.5  # 10 ms on an idle machine


def test_loading_imports_no_torch(fakes, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    code = f"""
import sys
sys.path.insert(0, {str(next(p for p in sys.path if "fakes" in p))!r})
from pathlib import Path
from dlcore import Component
from dlcore.config.loading import load_config
from dlcore.errors import ConfigError
from dlcore.plugin_host import PluginHost
try:
    load_config(Path({str(path)!r}), PluginHost.from_entry_points())
except ConfigError as error:
    assert "Net" in str(error)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
