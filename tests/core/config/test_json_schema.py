from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from dlcore.config.json_schema import json_schema
from dlcore.config.yaml import parse, read
from tests.core.config.example import GOOD, MISTAKES, change

Validator = jsonschema.Draft202012Validator


@pytest.fixture(scope="module")
def schema(fakes, host_of):
    return json_schema(host_of(**fakes))


@pytest.fixture(scope="module")
def validator(schema):
    Validator.check_schema(schema)
    return Validator(schema)


def test_it_is_json(schema):
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


RIGHT = {
    "the example": GOOD,
    "nulls": change("  epochs: 20", "  epochs:\n  weight_init:\n  dataloader_workers: auto")
    + "device:\nmetadata:\ninference:\ndetector:\n".replace("metadata:\n", ""),
    "an optimizer without parameters": change("    params:\n      lr: 1e-4\n", "    params:\n"),
    "a qualified name": change("type: Net", "type: fake/Net"),
    "an option of a backbone's base": change("model_name: big", "model_name: a\n    pretrained: x")
    .replace("pretrained: x", "pretrained: x\n    freeze_bn_stats: true"),
    "a single criterion": change("        heatmap:\n          type: MSE\n          weight: 1.0",
                                 "        type: MSE"),
    "transforms in every form": change("noise: 12.75", "noise: true").replace("p: 0.5", "p:"),
    "transforms that are off": change("noise: 12.75", "noise: false\n    resize: null")
    .replace("resize: null", "top_down_crop: false"),
    "several loggers": change("logger:", "logger:\n- type: Log\n  tags: [a]\n- {type: Log}"),
    "callbacks": change("logger:", "callbacks:\n- {type: Watch, stage: detector}\n- type: Watch"),
    "no callbacks": change("logger:", "callbacks:"),
    "clipping": change("runner:", "runner:\n  max_gradient_norm: 1\n  accumulate_batches: 2"),
    "a scheduler of torch": change("type: LRListScheduler", "type: StepLR").replace(
        "milestones: [160]\n      lr_list: [[1e-05]]", "step_size: 5"),
    "schedulers in a scheduler": change("type: LRListScheduler", "type: SequentialLR").replace(
        "lr_list: [[1e-05]]", "schedulers: [{type: StepLR, params: {step_size: 2}}]"),
    "old names": change("bodyparts: [nose, tail]", "identity: true\n  uniquebodyparts: [a]"),
    "upper case": change("method: bu", "method: BU"),
    "a detector": change("logger:", "detector: {model: {type: Find, pretrained: true}}"),
}  # fmt: skip


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_loads_is_valid(validator, load, text):
    load(text)
    validator.validate(parse(text).values)


@pytest.mark.parametrize("text", [text for text, *_ in MISTAKES.values()], ids=list(MISTAKES))
def test_a_mistake_is_invalid(validator, text):
    assert not validator.is_valid(parse(text).values)


def test_an_editor_is_offered_names_options_and_descriptions(schema):
    definitions = schema["$defs"]
    assert definitions["backbones"]["properties"]["type"]["enum"] == ["Net", "fake/Net"]
    net = definitions["backbones.fake.Net"]["properties"]
    assert set(net) == {"type", "model_name", "pretrained", "freeze_bn_stats", "freeze_bn_weights"}
    assert "batch-norm" in net["freeze_bn_stats"]["description"]
    assert net["freeze_bn_stats"]["default"] is False
    epochs = definitions["TrainSettings"]["properties"]["epochs"]
    assert (epochs["default"], "Epochs" in epochs["description"]) == (200, True)
    assert "AdamW" in definitions["optimizers"]["properties"]["type"]["enum"]
    assert "StepLR" in definitions["schedulers"]["properties"]["type"]["enum"]


def test_every_reference_is_defined(schema):
    def references(value):
        if isinstance(value, dict):
            for name, item in value.items():
                if name == "$ref":
                    yield item
                else:
                    yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    used = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert used <= set(schema["$defs"])
    assert set(schema["$defs"]) - used <= {"net_types", "placeholder"}


def test_files_of_the_reference_are_valid_where_their_parts_exist(host, shared):
    validator = Validator(json_schema(host))
    project = shared / "data" / "openfield-Pranav-2018-10-30"
    train = "dlc-models-pytorch/iteration-0/openfieldOct30-trainset95shuffle1/train"
    values = read(project / train / "pytorch_config.yaml").values
    validator.validate(values)
    values["model"]["heads"]["bodypart"]["predictor"]["aply_sigmoid"] = False
    assert not validator.is_valid(values)


def test_torch_is_not_imported():
    code = """
import sys
from importlib_metadata import entry_points
from dlcore.config.json_schema import json_schema
from dlcore.plugin_host import PluginHost
bundled = [ep for ep in entry_points(group="dlcore.plugins") if ep.dist.name == "dlcore"]
json_schema(PluginHost.from_entry_points(bundled))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
