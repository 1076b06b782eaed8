"""The command line's entry: which commands there are, and how errors become exit codes.

Commands are imported when they are run. `dlcore --help` imports none: the summaries are here.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from dlcore.errors import ConfigError, DlcoreError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class CommandSource(NamedTuple):
    """Where a command is, as "package.module:attribute", and what it does in one line."""

    target: str
    summary: str


PROGRAM = "dlcore"

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Instead of Python's 700: imports make many objects that stay, and leave few cycles behind."""

COMMANDS = {
    "demo": CommandSource(
        "dlcore.cli.demo:demo_command", "Draw a dataset, train on it and show the result."
    ),
    "init": CommandSource(
        "dlcore.cli.init:init_command", "Write a config for a DeepLabCut project or COCO folder."
    ),
    "check": CommandSource(
        "dlcore.cli.check:check_command", "Tell everything that is wrong with a config."
    ),
    "explain": CommandSource(
        "dlcore.cli.explain:explain_command", "Tell where each value of a config comes from."
    ),
    "schema": CommandSource(
        "dlcore.cli.schema:schema_command", "Write the JSON Schema of configs, for editors."
    ),
    "preview": CommandSource(
        "dlcore.cli.preview:preview_command", "Draw images as the network gets them, with labels."
    ),
    "train": CommandSource("dlcore.cli.train:train_command", "Train what a config describes."),
    "evaluate": CommandSource(
        "dlcore.cli.evaluate:evaluate_command", "Compare a trained model with the labels."
    ),
    "runs": CommandSource(
        "dlcore.cli.runs:runs_command", "List runs: how far they came, how good they are."
    ),
    "compare": CommandSource(
        "dlcore.cli.compare:compare_command", "Compare runs: configs, metrics, learning curves."
    ),
    "report": CommandSource(
        "dlcore.cli.report:report_command", "Write one page about a run: curves, errors, pictures."
    ),
    "predict": CommandSource(
        "dlcore.cli.predict:predict_command", "Find poses in videos and images."
    ),
    "export": CommandSource(
        "dlcore.cli.export:export_command", "Write a trained model to a file for other programs."
    ),
    "list": CommandSource("dlcore.cli.list:list_command", "List the installed components by kind."),
    "show": CommandSource("dlcore.cli.show:show_command", "Show a component and its options."),
    "plugins": CommandSource(
        "dlcore.cli.plugins:plugins_command", "List plugins, or check one of them."
    ),
    "completion": CommandSource(
        "dlcore.cli.completion:completion_command", "Let the shell complete what you type."
    ),
}

EPILOG = """\b
Examples:
  dlcore demo
  dlcore init my_project --net-type resnet_50 --output runs/first
  dlcore train runs/first/pytorch_config.yaml
  dlcore list heads
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order in which they are usually met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is no such command.

        Raises:
            DlcoreError: If its module cannot be imported.
        """
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name].target.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module_name), attribute)
        except ImportError as error:
            raise DlcoreError(f"the command {cmd_name!r} cannot be imported: {error}") from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a misspelt one is told with the nearest name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin like what was typed, none of them imported."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=source.summary)
            for name, source in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, source.summary) for name, source in COMMANDS.items()])


@click.group(
    PROGRAM,
    cls=LazyGroup,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="dlcore", prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Train pose-estimation models from one YAML file, with components from plugins."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: What was typed after `dlcore`; by default that of this process.

    Returns:
        The exit code: 0 done, 1 an error that the message explains, 2 wrong usage, 130 interrupted.
        Whatever else is raised is a defect of dlcore or of a plugin, and leaves with its traceback.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        arguments = None if args is None else list(args)
        code = cli.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except ConfigError as error:
        return _fail(*error.messages())
    except DlcoreError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.strerror}: {error.filename!r}" if error.filename else str(error))
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0


def _fail(*messages: str) -> int:
    rank = os.environ.get("RANK", "0")
    where = f" in process {rank}" if rank != "0" else ""
    for message in messages:
        click.echo(f"error{where}: {message}", err=True)
    return 1
