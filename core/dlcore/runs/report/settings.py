"""The config of a run with where its values come from, and what the run was made with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcore.config import keys
from dlcore.engine.run_folder import CONFIG_PATH, ENVIRONMENT

_DEFAULT = "default"


@dataclass(frozen=True)
class ConfigValue:
    """One value of the config, in YAML's flow style, and where it comes from."""

    key: str
    text: str
    source: str

    @property
    def is_own(self) -> bool:
        """Whether somebody has chosen it."""
        return self.source not in ("", _DEFAULT)


def config_values(
    values: Mapping[str, Any], provenance: Mapping[str, Any] | None
) -> dict[str, list[ConfigValue]]:
    """The values of a config by section, those outside of any under "".

    Args:
        values: The config as plain types.
        provenance: Dotted key to where its value comes from; None where nothing is known.
    """
    sections: dict[str, list[ConfigValue]] = {}
    for name, value in values.items():
        section = sections.setdefault(str(name) if isinstance(value, Mapping) else "", [])
        for key, leaf in _leaves(value, str(name)):
            text = json.dumps(leaf, ensure_ascii=False, default=str)
            section.append(ConfigValue(key, text, _source(key, provenance)))
    return sections


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The values below a key; a list of plain values is one."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, keys.join(key, str(name)))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, keys.join(key, index))
    else:
        yield key, value


def _source(key: str, provenance: Mapping[str, Any] | None) -> str:
    """Where a value comes from, or what it was made of."""
    if provenance is None:
        return ""
    while key:
        if key in provenance:
            return str(provenance[key])
        key = keys.parent(key)
    return _DEFAULT


def environment_of(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run was made with: name and value."""
    names = {"version": "dlcore", "python": "Python", "torch": "PyTorch", "precision": "precision"}
    names |= {"created": "created", "run_id": "run", CONFIG_PATH: "config file"}
    found = [(title, str(manifest[name])) for name, title in names.items() if manifest.get(name)]
    more = manifest.get(ENVIRONMENT)
    if isinstance(more, Mapping):
        found[3:3] = [(str(name), str(value)) for name, value in more.items()]
    return found


def plugins_of(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The plugins of a run: name, package or file, version."""
    plugins = manifest.get("plugins")
    return [
        (
            str(name),
            str(about.get("distribution") or about.get("file") or ""),
            str(about.get("version") or ""),
        )
        for name, about in (plugins.items() if isinstance(plugins, Mapping) else ())
        if isinstance(about, Mapping)
    ]
