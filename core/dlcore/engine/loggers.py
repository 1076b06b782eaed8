"""The loggers of a run, from its config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlcore.building import build
from dlcore.config import keys
from dlcore.config.loading import LoadedConfig
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import DlcoreError
from dlcore.interfaces import Logger, RunInfo
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

ALWAYS_ON = "CSVLogger"
"""The logger of every run, whatever the config says."""


def build_loggers(loaded: LoadedConfig, host: PluginHost, run: RunInfo) -> list[Logger]:
    """The table of every run, then the loggers of the config in their order.

    One that cannot be used is warned about and left out; a wrong option is an error.

    Args:
        loaded: The config.
        host: Where components are found.
        run: What the loggers are told of the run; each is told its own `number`.

    Raises:
        ConfigError: If a block is wrong.
    """
    blocks = dict(_blocks(loaded))
    offered = {entry.name: entry for entry in host.registries["loggers"]}
    if ALWAYS_ON not in offered:
        LOGGER.warning("no plugin offers %s: there will be no table of losses", ALWAYS_ON)
    elif not any(_is_the_table(block, host, offered[ALWAYS_ON]) for block in blocks.values()):
        blocks = {"": {"type": offered[ALWAYS_ON].qualified_name}} | blocks
    loggers: list[Logger] = []
    numbers: Counter[str] = Counter()
    for key, block in blocks.items():
        name = host.find("loggers", str(block["type"])).qualified_name
        numbers[name] += 1
        try:
            loggers.append(
                build(host, "loggers", block, replace(run, number=numbers[name]), key=key)
            )
        except DlcoreError:
            raise
        except Exception as error:  # noqa: BLE001  a logger may raise anything
            LOGGER.warning(
                "logger %s cannot be used: %s: %s", block["type"], type(error).__name__, error
            )
    return loggers


def _blocks(loaded: LoadedConfig) -> list[tuple[str, Mapping[str, Any]]]:
    """The blocks of the config with their keys."""
    blocks = loaded.config.loggers
    if not isinstance(loaded.config.logger, list):
        return [("logger", block) for block in blocks]
    return [(keys.join("logger", index), block) for index, block in enumerate(blocks)]


def _is_the_table(block: Mapping[str, Any], host: PluginHost, table: Entry) -> bool:
    return host.find("loggers", str(block["type"])) == table and not block.get("log_filename")
