"""`dlcore completion`: what makes a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from dlcore.cli.main import PROGRAM, cli

EPILOG = """\b
Examples:
  dlcore completion bash > ~/.local/share/bash-completion/completions/dlcore
  dlcore completion zsh > ~/.zsh/completions/_dlcore
  dlcore completion fish > ~/.config/fish/completions/dlcore.fish
"""

_HINTS = {
    "bash": "Write this to ~/.local/share/bash-completion/completions/dlcore",
    "zsh": "Write this to a file named _dlcore in a folder of $fpath, before compinit is called",
    "fish": "Write this to ~/.config/fish/completions/dlcore.fish",
}


@click.command("completion", epilog=EPILOG)
@click.argument("shell", type=click.Choice(list(_HINTS)))
def completion_command(shell: str) -> None:
    """Print a script that lets SHELL complete what is typed after `dlcore`.

    Commands, options, components, net types and folders of runs are completed. A new shell reads
    the script from where the examples put it.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click knows all three
    variable = f"_{PROGRAM.upper()}_COMPLETE"
    script = kind(cli, {}, PROGRAM, variable).source().lstrip("\n")
    first, _, rest = script.partition("\n")
    hint = f"# {_HINTS[shell]}, and open a new shell."
    is_marked = first.startswith("#")  # zsh reads the first line
    click.echo("\n".join([first, hint, rest] if is_marked else [hint, first, rest]), nl=False)
