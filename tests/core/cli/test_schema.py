from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from tests.core.cli.conftest import CONFIG, PLUGIN
from tests.core.cli.test_main import HEAVY


@pytest.fixture
def schema(dlcore):
    done = dlcore("schema")
    assert done.code == 0
    return json.loads(done.out)


def test_a_config_that_is_right_is_valid(schema):
    values = yaml.safe_load(CONFIG.replace("1e-4", "0.0001"))

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(values, schema)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("batch_size: 4", "batchsize: 4"),
        ("type: ResNet", "type: Resnet"),
        ("pos_dist_thresh: 17", "pos_dist_tresh: 17"),
    ],
)
def test_mistakes_are_seen_also_in_the_options_of_components(schema, right, wrong):
    values = yaml.safe_load(CONFIG.replace("1e-4", "0.0001").replace(right, wrong))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema)


def test_a_stranger_s_component_is_in_it(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)

    assert '"acme/MyPredictor"' in dlcore("schema").out


def test_it_is_written_to_a_file(dlcore, tmp_path):
    path = tmp_path / "schema.json"

    done = dlcore("schema", "--output", path)

    assert (done.code, done.out) == (0, f"wrote {path}\n")
    assert json.loads(path.read_text())["title"] == "pytorch_config.yaml"


def test_a_place_that_cannot_be_written_is_an_error(dlcore, tmp_path):
    done = dlcore("schema", "--output", tmp_path / "absent" / "schema.json")

    assert done.code == 1
    assert "error: No such file or directory: " in done.err


def test_writing_the_schema_imports_nothing_heavy(dlcore_process):
    done = dlcore_process("schema")

    assert done.code == 0
    assert not done.modules & HEAVY
