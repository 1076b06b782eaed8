"""`dlcore check`: everything that is wrong with a config, without training."""

from __future__ import annotations

from pathlib import Path

import click

from dlcore.cli.options import make_host, plugin_option, set_option
from dlcore.config.advice import advice_on
from dlcore.config.loading import load_config
from dlcore.config.schema import RunConfig

EPILOG = """\b
Examples:
  dlcore check run.yaml
  dlcore check run.yaml --set train_settings.epochs=50
"""


@click.command("check", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@set_option
@plugin_option
def check_command(file: Path, overrides: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Tell everything that is wrong with FILE, a pytorch_config.yaml.

    Each problem is told with its line, its key and what to do. Data and weights are not looked at.
    """
    host = make_host(plugins)
    loaded = load_config(file, host, overrides)
    for notice in loaded.notices:
        click.echo(f"note: {notice}", err=True)
    for key, advice in advice_on(loaded.config, host):
        click.echo(f"note: {key} {advice}", err=True)
    click.echo(f"{file}: ok: {_summary(loaded.config)}")


def _summary(config: RunConfig) -> str:
    model = config.model
    heads = ", ".join(f"{block['type']} ({name})" for name, block in model.heads.items())
    parts = [
        config.net_type or "no net type",
        f"method {config.method}",
        " + ".join(block["type"] for block in (model.backbone, model.neck) if block)
        + f" + {heads}",
        f"{config.train_settings.epochs} epochs of batches of {config.train_settings.batch_size}",
    ]
    return "; ".join(parts)
