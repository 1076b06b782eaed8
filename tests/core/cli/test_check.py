from __future__ import annotations

import pytest

from tests.core.cli.conftest import CONFIG, PLUGIN
from tests.core.cli.test_main import HEAVY


def test_a_config_that_is_right_is_told_in_one_line(dlcore, config):
    done = dlcore("check", config)

    assert done.code == 0
    assert done.out == (
        f"{config}: ok: resnet_50; method bu; ResNet + HeatmapHead (bodypart); "
        f"200 epochs of batches of 4\n"
    )


def test_every_error_is_told_at_once_with_file_line_and_key(dlcore, config):
    text = CONFIG.replace("batch_size: 4", "batchsize: 4").replace("1e-4", "fast")
    config.write_text(text.replace("type: HeatmapPredictor", "type: HeatmapPredictr"))

    done = dlcore("check", config)

    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.code, done.out) == (1, "")
    assert [line.split(": ")[1:3] for line in errors] == [
        [f"{config}:12", "model.heads.bodypart.predictor.type"],
        [f"{config}:29", "runner.optimizer.params.lr"],
        [f"{config}:31", "train_settings.batchsize"],
    ]
    assert "did you mean 'HeatmapPredictor'? (from plugin 'heatmap')" in done.err
    assert "did you mean 'batch_size'?" in errors[2]


def test_overrides_are_checked_too(dlcore, config):
    assert dlcore("check", config, "--set", "train_settings.epochs=50").out.count("50 epochs") == 1

    done = dlcore("check", config, "--set", "train_settings.epochs=many")
    assert done.code == 1
    assert "train_settings.epochs" in done.err
    assert "--set" in done.err


def test_keys_without_effect_are_noted(dlcore, config):
    config.write_text(CONFIG + "data:\n  loader:\n    type: DLCLoader\n")

    done = dlcore("check", config)

    assert done.code == 0
    assert "note: data.loader has no effect (line 33): " in done.err


def test_a_plugin_file_offers_components(dlcore, config, plugin_file):
    path = plugin_file(source=PLUGIN.replace("from dlcore.interfaces import Predictor", "")
                       .replace("(Predictor)", ""))  # fmt: skip
    config.write_text(CONFIG.replace("type: HeatmapPredictor", "type: MyPredictor"))

    assert dlcore("check", config).code == 1
    assert dlcore("check", config, "--plugin", path).code == 0


BAD = {
    "missing": None,
    "empty": b"",
    "binary": bytes(range(256)),
    "tabs": b"model:\n\tbackbone: 1\n",
    "a list": b"- 1\n",
    "not utf-8": "net_type: é".encode("latin-1"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_config_is_an_error(dlcore, tmp_path, content):
    path = tmp_path / "bad.yaml"
    if content is not None:
        path.write_bytes(content)

    done = dlcore("check", path)

    assert done.code == 1
    assert str(path) in done.err


def test_a_folder_is_no_config(dlcore, tmp_path):
    done = dlcore("check", tmp_path)

    assert done.code == 1
    assert done.err.count("error: ") == 1


def test_checking_imports_nothing_heavy(dlcore_process, config):
    done = dlcore_process("check", config)

    assert done.code == 0, done.err
    assert not done.modules & HEAVY
