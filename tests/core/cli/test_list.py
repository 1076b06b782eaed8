from __future__ import annotations

import json

import pytest

from dlcore.hookspecs import KINDS
from dlcore.plugin_host import DISABLE_VARIABLE
from tests.core.cli.conftest import PLUGIN
from tests.core.cli.test_main import HEAVY


def test_every_kind_has_its_heading_and_components_their_plugin(dlcore):
    done = dlcore("list")

    headings = [line.split(" ")[0] for line in done.out.splitlines() if line[:1].strip()]
    assert done.code == 0
    assert headings == list(KINDS)
    row = next(line for line in done.out.splitlines() if line.startswith("  HeatmapHead "))
    assert row.split()[:2] == ["HeatmapHead", "heatmap"]


def test_one_kind_alone(dlcore):
    done = dlcore("list", "criterion")

    assert done.out.splitlines()[0].startswith("criteria (")
    assert "HeatmapHead" not in done.out


def test_several_kinds(dlcore):
    done = dlcore("list", "heads", "target-generators")

    headings = [line.split(" ")[0] for line in done.out.splitlines() if line[:1].strip()]
    assert headings == ["heads", "target_generators"]


def test_a_component_of_a_stranger_is_listed(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)

    row = next(
        line for line in dlcore("list", "predictors").out.splitlines() if "MyPredictor" in line
    )

    assert row.split() == ["MyPredictor", "acme", "Knows", "it", "all."]


def test_a_name_that_two_plugins_offer_is_listed_as_it_must_be_written(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)
    install_plugin("zoo", PLUGIN)

    out = dlcore("list", "predictors").out

    assert "  acme/MyPredictor " in out
    assert "  zoo/MyPredictor " in out


def test_verbose_adds_target_distribution_and_version(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)

    out = dlcore("list", "predictors", "--verbose").out

    assert "      acme_module:MyPredictor, from dlcore-acme 1.2.3\n" in out


def test_a_broken_plugin_is_a_warning_on_stderr_and_the_rest_is_listed(dlcore, install_plugin):
    install_plugin("bad", "import no_such_module")

    done = dlcore("list", "heads")

    assert done.code == 0
    assert "HeatmapHead" in done.out
    assert (
        "warning: plugin 'bad' from dlcore-bad was skipped: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    ) in done.err


def test_json_holds_everything(dlcore, install_plugin, monkeypatch):
    install_plugin("acme", PLUGIN)
    install_plugin("bad", "import no_such_module")
    install_plugin("off", PLUGIN)
    monkeypatch.setenv(DISABLE_VARIABLE, "off")

    listed = json.loads(dlcore("list", "predictors", "--json").out)

    assert {
        "kind": "predictors",
        "name": "MyPredictor",
        "type": "MyPredictor",
        "plugin": "acme",
        "summary": "Knows it all.",
        "target": "acme_module:MyPredictor",
        "distribution": "dlcore-acme",
        "version": "1.2.3",
    } in listed["components"]
    assert {item["kind"] for item in listed["components"]} == {"predictors"}
    assert {
        "name": "bad",
        "distribution": "dlcore-bad",
        "reason": "ModuleNotFoundError: No module named 'no_such_module'",
    } in listed["failures"]
    assert listed["disabled"] == ["off"]


def test_a_plugin_file_is_listed_too(dlcore, plugin_file):
    done = dlcore("list", "predictors", "--plugin", plugin_file())

    assert done.code == 0
    assert "MyPredictor" in done.out
    assert "my_own_plugin" in done.out


def test_an_unknown_kind_is_wrong_usage(dlcore):
    done = dlcore("list", "haeds")

    assert done.code == 2
    assert "did you mean 'heads'?" in done.err


@pytest.mark.parametrize("arguments", [[], ["--json"], ["heads", "--verbose"]])
def test_listing_imports_nothing_heavy(dlcore_process, arguments):
    done = dlcore_process("list", *arguments)

    assert done.code == 0
    assert "HeatmapHead" in done.out
    assert not done.modules & (HEAVY | {"numpy", "pydantic"})
