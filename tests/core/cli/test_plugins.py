from __future__ import annotations

import pytest

from dlcore.plugin_host import DISABLE_VARIABLE
from tests.core.cli.conftest import PLUGIN
from tests.core.cli.test_main import HEAVY


def rows(out: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in out.splitlines()}


def test_every_plugin_is_told_with_its_state(dlcore, install_plugin, monkeypatch):
    install_plugin("acme", PLUGIN)
    install_plugin("bad", "raise RuntimeError('no\\nGPU')")
    install_plugin("off", PLUGIN)
    monkeypatch.setenv(DISABLE_VARIABLE, "off")

    done = dlcore("plugins")

    found = rows(done.out)
    assert done.code == 0
    assert found["name"] == ["name", "distribution", "version", "components", "state"]
    assert found["acme"] == ["acme", "dlcore-acme", "1.2.3", "1", "ok"]
    assert found["bad"] == ["bad", "dlcore-bad", "broken:", "RuntimeError:", "no", "GPU"]
    assert found["off"] == ["off", "disabled", "by", DISABLE_VARIABLE]
    assert found["heatmap"][1] == "dlcore"


def test_listing_plugins_imports_nothing_heavy(dlcore_process):
    done = dlcore_process("plugins")

    assert done.code == 0
    assert not done.modules & HEAVY


def test_check_tells_what_is_right(dlcore, install_plugin):
    install_plugin("acme", PLUGIN)

    done = dlcore("plugins", "check", "acme")

    assert done.out == (
        "acme, from dlcore-acme 1.2.3\n  ok      predictor MyPredictor\n1 component, none failed\n"
    )
    assert done.code == 0


def test_check_takes_a_file(dlcore, plugin_file):
    path = plugin_file()

    done = dlcore("plugins", "check", path)

    assert done.code == 0
    assert done.out.startswith(f"my_own_plugin, from {path}\n")


FAULTS = {
    "no class": (PLUGIN.replace(":MyPredictor", ":Missing"), "has no attribute 'Missing'"),
    "wrong interface": (PLUGIN.replace("(Predictor)", ""), "must subclass Predictor"),
    "abstract": (PLUGIN.replace("__call__", "other"), "must implement __call__"),
    "no full stop": (PLUGIN.replace('all.")', 'all")'), "ends with a full stop"),
    "unannotated": (PLUGIN.replace("threshold: float", "threshold"), "must have an annotation"),
}


@pytest.mark.parametrize(("source", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_check_tells_what_is_wrong(dlcore, plugin_file, source, reason):
    done = dlcore("plugins", "check", plugin_file(source=source))

    assert done.code == 1
    assert "  failed  predictor MyPredictor\n" in done.out
    assert reason in done.out
    assert done.out.endswith("1 component, 1 failed\n")


def test_check_of_a_broken_plugin_gives_the_reason(dlcore, install_plugin):
    install_plugin("bad", "import no_such_module")

    done = dlcore("plugins", "check", "bad")

    assert done.code == 1
    assert done.err == (
        "error: plugin 'bad' from dlcore-bad is broken: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    )


def test_a_name_that_disables_nothing_is_told(dlcore, install_plugin, monkeypatch):
    install_plugin("acme", "")
    monkeypatch.setenv(DISABLE_VARIABLE, "acmee")

    done = dlcore("plugins")

    assert "no plugin named 'acmee' is installed; did you mean 'acme'?" in done.err
    assert "acmee" not in done.out


def test_check_of_a_disabled_plugin_says_so(dlcore, install_plugin, monkeypatch):
    install_plugin("off", PLUGIN)
    monkeypatch.setenv(DISABLE_VARIABLE, "off")

    assert "is disabled by DLCORE_DISABLE_PLUGINS" in dlcore("plugins", "check", "off").err


def test_check_of_an_unknown_plugin_suggests_a_near_one(dlcore):
    done = dlcore("plugins", "check", "heatmaps")

    assert done.code == 1
    assert "no plugin named 'heatmaps' is installed; did you mean 'heatmap'?" in done.err


def test_check_of_a_missing_file_says_so(dlcore, tmp_path):
    done = dlcore("plugins", "check", tmp_path / "absent.py")

    assert done.code == 1
    assert "there is no plugin file" in done.err
