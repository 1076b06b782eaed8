from __future__ import annotations

import pytest

from tests.core.cli.conftest import PLUGIN
from tests.core.cli.test_list import NET
from tests.core.cli.test_main import HEAVY

MINE = """\
MyPredictor: predictor
  plugin: acme, from dlcore-acme 1.2.3
  class:  acme_module:MyPredictor

Knows it all.

And says so.

Options:
  threshold: number, default 0.5
      Least score that counts, from 0 to 1.
  names: list of texts | null, default null
      Of whom; null for all.
"""


def test_what_it_is_where_it_is_from_and_what_it_takes(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)

    done = dlcore("show", "MyPredictor")

    assert (done.code, done.out) == (0, MINE)


@pytest.mark.parametrize("name", ["acme/MyPredictor", "zoo/MyPredictor"])
def test_a_qualified_name_shows_one(dlcore, install_plugin, name):
    install_plugin("acme", PLUGIN)
    install_plugin("zoo", PLUGIN)

    out = dlcore("show", name).out

    assert out.startswith(f"{name}: predictor\n")
    assert out.count("Options:") == 1


def test_an_ambiguous_name_shows_all(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)
    install_plugin("zoo", PLUGIN)

    out = dlcore("show", "MyPredictor").out

    assert out.startswith("acme/MyPredictor: predictor\n")
    assert "\n\nzoo/MyPredictor: predictor\n" in out


def test_a_component_of_a_file(dlcore, plugin_file):
    path = plugin_file()

    done = dlcore("show", "MyPredictor", "--plugin", path)

    assert done.code == 0
    assert f"  plugin: my_own_plugin, from {path}\n" in done.out


def test_nested_options_are_shown_with_their_keys(dlcore):
    out = dlcore("show", "HeatmapHead").out

    assert "\n  heatmap_config: map, required\n" in out
    assert "\n    channels: list of whole numbers > 0, required\n" in out
    assert "\n      out_channels: whole number > 0, required\n" in out
    assert "Args:" not in out


def test_a_component_without_options_says_so(dlcore, install_plugin):
    source = PLUGIN.replace(", *, threshold: float = 0.5, names: list[str] | None = None", "")
    install_plugin("acme", source)

    assert dlcore("show", "MyPredictor").out.endswith("\nIt has no options.\n")


def test_a_near_name_is_suggested(dlcore):
    done = dlcore("show", "HeatmapHed")

    assert done.code == 1
    assert "error: no plugin offers a component named 'HeatmapHed'\n" in done.err
    assert "did you mean 'HeatmapHead'? (from plugin 'heatmap')" in done.err


def test_a_class_that_is_not_there_is_an_error(dlcore, install_plugin):
    install_plugin("acme", PLUGIN.replace("{name}:MyPredictor", "{name}:Missing"))

    done = dlcore("show", "MyPredictor")

    assert done.code == 1
    assert "importing acme_module:Missing failed" in done.err


def test_a_net_type_says_how_it_works_and_what_it_costs(dlcore, install_plugin):
    install_plugin("acme", NET)

    out = dlcore("show", "small").out

    assert (
        "\n\n  approach:   top-down\n  parameters: 12.3 million\n  GFLOPs:     0.57\n"
        "  stride:     4 pixels\n  (for six keypoints of one individual in 256x256 pixels"
    ) in out
    assert "parameters:" not in dlcore("show", "mute").out


@pytest.mark.parametrize("name", ["HeatmapHead", "light_efficientnet"])
def test_showing_imports_nothing_heavy(dlcore_process, name):
    done = dlcore_process("show", name)

    assert done.code == 0
    assert not done.modules & HEAVY


def test_a_transform_says_what_a_bare_value_sets(dlcore):
    assert "  A bare value in place of options sets 'p'.\n" in dlcore("show", "hflip").out


def test_options_without_limits_are_told(dlcore, install_plugin):
    source = PLUGIN.replace("names: list[str] | None = None", "names=len, **kwargs")
    install_plugin(
        "acme", source.replace("self.threshold = threshold", "super().__init__(**kwargs)")
    )

    out = dlcore("show", "MyPredictor").out

    assert "  names: anything, default len\n" in out
