from __future__ import annotations

import click
import pytest

from dlcore.cli.options import convert_kinds, make_host, plugin_option, set_option
from dlcore.errors import PluginError
from dlcore.hookspecs import KINDS
from dlcore.plugin_host import DISABLE_VARIABLE

CONTEXT = click.Context(click.Command("test"))
ARGUMENT = click.Argument(["kinds"])


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("heads", "heads"),
        ("head", "heads"),
        ("Heads", "heads"),
        ("target-generator", "target_generators"),
        ("target_generators", "target_generators"),
        ("target generator", "target_generators"),
        ("criterion", "criteria"),
        ("criteria", "criteria"),
        ("net-types", "net_types"),
    ],
)
def test_a_kind_in_any_common_spelling(written, kind):
    assert convert_kinds(CONTEXT, ARGUMENT, [written]) == (kind,)


def test_every_kind_is_understood():
    assert convert_kinds(CONTEXT, ARGUMENT, KINDS) == KINDS


@pytest.mark.parametrize(
    ("written", "hint"),
    [("haeds", "did you mean 'heads'?"), ("xyz", "choose from backbones, necks")],
)
def test_another_word_gets_a_hint(written, hint):
    with pytest.raises(click.BadParameter) as caught:
        convert_kinds(CONTEXT, ARGUMENT, [written])

    assert hint in caught.value.message


def test_a_broken_plugin_is_announced_and_a_broken_file_is_an_error(
    capsys, install_plugin, plugin_file
):
    install_plugin("bad", "raise RuntimeError('no GPU')")

    host = make_host([plugin_file()])

    assert "my_own_plugin" in host.plugins
    warning = "warning: plugin 'bad' from dlcore-bad was skipped: RuntimeError: no GPU\n"
    assert warning in capsys.readouterr().err
    with pytest.raises(PluginError):
        make_host([plugin_file("empty_plugin", "")])


def test_shared_options_may_be_repeated(tmp_path):
    @click.command()
    @plugin_option
    @set_option
    def command(plugins, overrides):
        given.append((plugins, overrides))

    given = []
    arguments = ["--plugin", "a.py", "--set", "a=1", "--plugin", "b.py", "--set", "b=[1, 2]"]
    command.main(arguments, standalone_mode=False)

    (plugins, overrides) = given[0]
    assert [path.name for path in plugins] == ["a.py", "b.py"]
    assert overrides == ("a=1", "b=[1, 2]")


def test_a_misspelt_name_of_a_disabled_plugin_is_announced(capsys, install_plugin, monkeypatch):
    install_plugin("acme", "")
    monkeypatch.setenv(DISABLE_VARIABLE, "acmee")

    make_host()

    warning = f"warning: {DISABLE_VARIABLE}: no plugin named 'acmee' is installed"
    assert f"{warning}; did you mean 'acme'?\n" in capsys.readouterr().err
