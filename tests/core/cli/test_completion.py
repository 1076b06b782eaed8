from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from dlcore.cli.main import COMMANDS, cli

DLCORE = Path(sys.executable).parent / "dlcore"


def completions(line):
    """What is offered for the last word of a command line."""
    *words, incomplete = line.split(" ")
    found = ShellComplete(cli, {}, "dlcore", "_DLCORE_COMPLETE").get_completions(words, incomplete)
    return [item.value for item in found if item.type == "plain"]


def test_commands_are_completed_without_importing_them(monkeypatch):
    monkeypatch.setattr(cli, "get_command", lambda *_: pytest.fail("a command was imported"))
    assert completions("") == list(COMMANDS)
    assert completions("sc") == ["schema"]


def test_options_are_completed():
    assert completions("train run.yaml --res") == ["--resume"]
    assert completions("--vers") == ["--version"]


def test_components_are_completed_by_short_and_qualified_name(plugin_file):
    assert completions("show HeatmapGau") == ["HeatmapGaussianGenerator"]
    assert "heatmap/HeatmapHead" in completions("show heatmap/")
    assert completions(f"show --plugin {plugin_file()} MyPre") == ["MyPredictor"]
    assert completions("show --plugin gone.py HeatmapGau") == ["HeatmapGaussianGenerator"]


def test_net_types_detectors_and_kinds_are_completed():
    assert completions("init project --net-type resnet_5") == ["resnet_50"]
    assert completions("init project --detector SSD") == ["SSDLite"]
    assert completions("list target-") == ["target-generators"]


@pytest.mark.parametrize("command", ["evaluate", "compare runs/first"])
def test_folders_of_runs_are_completed(tmp_path, monkeypatch, command):
    for name in ("runs/first", "runs/deep/second", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "resolved_config.yaml").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)

    assert completions(f"{command} ") == ["other", "runs/deep/second", "runs/first"]
    assert completions(f"{command} runs/f") == ["runs/first"]
    assert completions(f"{command} {tmp_path}/o") == [f"{tmp_path}/other"]
    assert completions(f"{command} nowhere/x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_that_says_where_it_goes(dlcore, shell):
    done = dlcore("completion", shell)

    assert (done.code, done.err) == (0, "")
    assert f"_DLCORE_COMPLETE={shell}_complete" in done.out
    assert "# Write this to" in done.out
    assert done.out.startswith("#compdef dlcore\n") == (shell == "zsh")


def test_an_unknown_shell_is_wrong_usage(dlcore):
    assert dlcore("completion", "tcsh").code == 2


@pytest.mark.skipif(
    shutil.which("bash") is None or not DLCORE.exists(), reason="needs bash and the command"
)
def test_bash_completes_with_the_script(dlcore, tmp_path):
    script = tmp_path / "script"
    script.write_text(dlcore("completion", "bash").out)
    typed = f"source {script}; COMP_WORDS=(dlcore comp); COMP_CWORD=1; _dlcore_completion dlcore; "
    done = subprocess.run(
        ["bash", "--norc", "-c", typed + 'echo "${COMPREPLY[@]}"'],
        env=os.environ | {"PATH": f"{DLCORE.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["compare", "completion"], done.stderr
