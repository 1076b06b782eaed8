"""The net type that `dlcore init` takes where none is named."""

from __future__ import annotations

from typing import NamedTuple

from dlcore.plugin_host import PluginHost

FOR_CPU = "light_efficientnet"
FOR_GPU = "resnet_50"


class Choice(NamedTuple):
    """A net type, and what the user is told about it."""

    name: str
    announcement: str


def default_net_type(host: PluginHost) -> Choice | None:
    """The net type that fits this machine, None if no plugin offers it."""
    from dlcore.engine.devices import resolve_device

    device = resolve_device("auto").type
    name = FOR_CPU if device == "cpu" else FOR_GPU
    if name not in host.registries["net_types"].names():
        return None
    reason = "no GPU was found" if device == "cpu" else f"there is a GPU ({device})"
    return Choice(
        name,
        f"net type: {name}, because {reason}; choose another with --net-type, see "
        f"`dlcore list net-types`",
    )
