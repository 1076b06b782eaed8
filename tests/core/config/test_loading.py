from __future__ import annotations

import subprocess
import sys
import time

import pytest

from dlcore import ConfigError
from dlcore.config.loading import Provenance, load_config
from tests.core.config.example import GOOD, MISTAKES, change


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
        "inference.eval.mode",
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


@pytest.mark.parametrize(
    ("names", "channels", "words"),
    [
        ("", "192", None),  # fits 24 keypoints, whose number only the data tell
        ("", "num_bodyparts x 8", None),
        ("metadata: {bodyparts: [a, b]}", "192", "but 2 keypoints"),
        ("", "oops", "channels.1"),
    ],
)
def test_what_depends_on_the_data_is_no_mistake_while_they_are_unknown(
    host, tmp_path, names, channels, words
):
    path = tmp_path / "pytorch_config.yaml"
    path.write_text(
        f"""
{names}
model:
  backbone: {{type: TimmBackbone, model_name: resnet10t}}
  heads:
    bodypart:
      type: DEKRHead
      target_generator: {{type: DEKRGenerator, num_joints: num_bodyparts, pos_dist_thresh: 17}}
      predictor: {{type: DEKRPredictor, num_animals: 2}}
      criterion:
        heatmap: {{type: DEKRHeatmapLoss, weight: 1}}
        offset: {{type: DEKROffsetLoss, weight: 1}}
      heatmap_config:
        channels: [backbone_output_channels, 32, num_bodyparts + 1]
      offset_config:
        channels: [backbone_output_channels, {channels}, num_bodyparts]
        num_offset_per_kpt: 8
"""
    )
    if words is None:
        assert load_config(path, host).config.model.heads
    else:
        with pytest.raises(ConfigError, match=words):
            load_config(path, host)
