from __future__ import annotations

import json
import os

import pytest

from dlcore.cli.net_types import read_figures
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


NET = """
from dlcore import Component, hookimpl
from dlcore.interfaces import NetType

@hookimpl
def register_net_types():
    return [Component("small", "{name}:Small", "A small one."), Component("mute", "{name}:Mute")]

class Small(NetType):
    approach, stride = "td", 4
    parameters, gflops = 12.34, 0.567

class Mute:
    pass
"""


def test_net_types_say_how_they_work_and_what_they_cost(dlcore, install_plugin):
    install_plugin("acme", NET)

    lines = dlcore("list", "net-types").out.splitlines()

    header, small, mute = (
        lines[1],
        *(
            next(line for line in lines if line.startswith(f"  {name} "))
            for name in ("small", "mute")
        ),
    )
    assert header.split() == ["method", "params", "GFLOPs", "stride", "plugin"]
    assert small.split() == ["small", "td", "12.3", "0.57", "4", "acme", "A", "small", "one."]
    assert mute.split() == ["mute", "acme"]
    assert [small.index(cell) for cell in ("td", "acme")] == [
        header.index(title) for title in ("method", "plugin")
    ]
    assert "256x256" in "\n".join(lines[-4:])


def test_json_has_the_figures_of_net_types_and_null_where_there_is_none(dlcore, install_plugin):
    install_plugin("acme", NET)

    listed = json.loads(dlcore("list", "net-types", "heads", "--json").out)

    figures = {
        item["name"]: [item[key] for key in ("approach", "parameters", "gflops", "stride")]
        for item in listed["components"]
        if item["kind"] == "net_types"
    }
    assert figures["small"] == ["td", 12.34, 0.567, 4]
    assert figures["mute"] == [None] * 4
    assert all("gflops" not in item for item in listed["components"] if item["kind"] == "heads")


def test_every_bundled_net_type_says_all(host):
    silent = [
        entry.name
        for entry in host.registries["net_types"]
        if None in read_figures(entry.component).values().values()
    ]
    assert silent == []


def test_listing_takes_no_time(dlcore_process):
    """About 0.2 s. The processor's time counts, for other programs may run beside this one."""
    dlcore_process("list")  # compiles what was edited
    before = os.times()
    dlcore_process("list")
    after = os.times()

    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 0.6
