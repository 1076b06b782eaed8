from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import dlcore as package
from dlcore.cli import main as module
from dlcore.cli.main import COMMANDS, CommandSource, cli
from dlcore.errors import ConfigError, DataError, Problem

HEAVY = {"torch", "torchvision", "timm", "albumentations", "pandas", "cv2", "matplotlib", "wandb"}


@pytest.fixture
def add_command(monkeypatch):
    """Put a command into the table that runs a function."""

    def add(name, function):
        holder = type(sys)("cli_test_module")
        holder.command = click.command(name)(function)
        monkeypatch.setitem(sys.modules, "cli_test_module", holder)
        monkeypatch.setitem(COMMANDS, name, CommandSource("cli_test_module:command", "For a test."))

    return add


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(dlcore, arguments):
    done = dlcore(*arguments)

    assert (done.code, done.err) == (0, "")
    for name, source in COMMANDS.items():
        assert f"  {name} " in done.out
        assert source.summary in done.out
    assert "Examples:" in done.out


def test_help_imports_no_command_and_nothing_heavy(dlcore_process):
    done = dlcore_process("--help")

    assert done.code == 0
    assert not done.modules & HEAVY
    commands = {source.target.partition(":")[0] for source in COMMANDS.values()}
    assert not done.modules & commands
    assert "pydantic" not in done.modules


def test_a_command_that_cannot_be_imported_leaves_the_others_alone(dlcore, monkeypatch):
    monkeypatch.setitem(COMMANDS, "gone", CommandSource("dlcore.cli.gone:command", "Is gone."))

    assert dlcore("--help").code == 0
    assert dlcore("list", "--help").code == 0
    done = dlcore("gone")
    assert done.code == 1
    assert done.err == (
        "error: the command 'gone' cannot be imported: No module named 'dlcore.cli.gone'\n"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_help_with_examples(dlcore, name):
    module_name, _, attribute = COMMANDS[name].target.partition(":")

    command = getattr(importlib.import_module(module_name), attribute)
    done = dlcore(name, "--help")

    assert command.name == name
    assert done.code == 0
    assert "Examples:" in done.out
    assert COMMANDS[name].summary.endswith(".")
    assert max(map(len, done.out.splitlines())) <= 100


def test_version(dlcore):
    assert dlcore("--version").out == f"dlcore {package.__version__}\n"


def test_a_misspelt_command_is_wrong_usage_and_gets_a_hint(dlcore):
    done = dlcore("lst")

    assert done.code == 2
    assert "No such command 'lst'. Did you mean 'list'?" in done.err


@pytest.mark.parametrize("arguments", [["--nonsense"], ["list", "--nonsense"], ["show"]])
def test_wrong_usage_exits_with_2(dlcore, arguments):
    done = dlcore(*arguments)

    assert done.code == 2
    assert "Usage: dlcore" in done.err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("there is no image 'a.png'"), "error: there is no image 'a.png'\n"),
        (
            ConfigError([Problem("a", "one", 1), Problem("b", "two", 2)], Path("f.yaml")),
            "error: f.yaml:1: a: one\nerror: f.yaml:2: b: two\n",
        ),
        (PermissionError(13, "Permission denied", "/x"), "error: Permission denied: '/x'\n"),
        (OSError(28, "No space left on device"), "error: [Errno 28] No space left on device\n"),
    ],
)
def test_an_error_of_the_users_making_is_a_message_and_code_1(dlcore, add_command, error, message):
    add_command("fail", raising(error))

    done = dlcore("fail")

    assert (done.code, done.out, done.err) == (1, "", message)


def test_an_interrupt_is_code_130(dlcore, add_command):
    add_command("wait", raising(KeyboardInterrupt()))

    done = dlcore("wait")

    assert done.code == 130
    assert done.err.endswith("interrupted\n")


def test_a_defect_keeps_its_traceback(dlcore, add_command):
    add_command("crash", raising(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        dlcore("crash")


def test_a_command_may_choose_its_exit_code(dlcore, add_command):
    add_command("three", lambda: click.get_current_context().exit(3))

    assert dlcore("three").code == 3


def test_a_reader_that_leaves_early_is_no_error():
    reader = "import sys; sys.stdin.read(1)"
    command = f'"{sys.executable}" -m dlcore list | "{sys.executable}" -c "{reader}"'

    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_module_runs_too():
    done = subprocess.run(
        [sys.executable, "-m", "dlcore", "--version"], capture_output=True, text=True, check=False
    )

    assert done.stdout == f"dlcore {package.__version__}\n"


def test_the_installed_command_gives_the_exit_code():
    script = Path(sys.executable).parent / "dlcore"
    if not script.exists():
        pytest.skip("dlcore's command is not installed beside this Python")

    done = subprocess.run([script, "show", "NoSuchThing"], capture_output=True, check=False)

    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [["--help"], ["list"]])
def test_what_people_type_most_is_quick(arguments):
    """Under 0.35 s on an idle machine of 2020; the bound leaves room for a busy one."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "dlcore", *arguments], capture_output=True, check=True
        )
        seconds.append(time.perf_counter() - start)

    assert min(seconds) < 1.0, seconds


def test_the_click_object_is_the_same_command_line():
    assert cli is module.cli
    assert list(cli.list_commands(click.Context(cli))) == list(COMMANDS)
    assert os.environ.get("_DLCORE_COMPLETE") is None
