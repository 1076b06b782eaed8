"""From a file and overrides to a checked config, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from dlcore.config import compatibility, keys, net_types, problems
from dlcore.config.components import ComponentChecker
from dlcore.config.keys import Part
from dlcore.config.overrides import apply
from dlcore.config.schema import RunConfig
from dlcore.config.sections import section_at
from dlcore.config.yaml import read
from dlcore.errors import ConfigError, PluginError, Problem
from dlcore.plugin_host import PluginHost

Source = Literal["file", "set", "net_type", "default"]

_STAND_INS: tuple[dict[str, Any], ...] = (
    {
        "num_bodyparts": 12,
        "num_individuals": 2,
        "backbone_output_channels": 512,
        "paf_graph": [[0, 1], [1, 2]],
        "num_limbs": 2,
        "paf_edges_to_keep": [0, 1],
    },
    {
        "num_bodyparts": 17,
        "num_individuals": 5,
        "backbone_output_channels": 768,
        "paf_graph": [[0, 1], [1, 2], [2, 3]],
        "num_limbs": 3,
        "paf_edges_to_keep": [0, 1, 2],
    },
)
"""What placeholders are taken for while a config is checked and the data is not known.

What is wrong with one set and not, or otherwise, with the other is not wrong with the config.
"""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value comes from.

    Attributes:
        source: The file, a `--set`, the net type, or the default.
        line: Line of the key in the file, from 1; also where null there means the default.
    """

    source: Source
    line: int | None = None


@dataclass(frozen=True)
class LoadedConfig:
    """A config file that is right.

    Attributes:
        path: The file.
        config: What it says, with defaults.
        values: What it says as plain types: the file and the overrides, nothing else.
        provenance: Dotted key to where its value comes from.
        notices: What a user should be told once, for example of keys without effect.
    """

    path: Path
    config: RunConfig
    values: dict[str, Any]
    provenance: Mapping[str, Provenance]
    notices: list[str] = field(default_factory=list)

    def line(self, key: str) -> int | None:
        """The line of a key, or of the nearest map around it that the file has."""
        return _nearest_line(key, self.provenance)

    def problem(self, key: str, message: str) -> ConfigError:
        """The error that says so about a key of this file, to be raised."""
        return self.located(ConfigError([Problem(key, message)]))

    def located(self, error: ConfigError) -> ConfigError:
        """The same error with this file and the lines of its keys."""
        return ConfigError(_located(error.problems, self.provenance), self.path)


def load_config(path: Path, host: PluginHost, overrides: Sequence[str] = ()) -> LoadedConfig:
    """Read and check a config.

    Plugin files that it names under `plugins` are loaded into `host`. Torch is not imported,
    except by such files and where a net type stands for the model.

    Args:
        path: The YAML file.
        host: The installed plugins.
        overrides: "key=value" each, as after `--set`; later ones win.

    Raises:
        ConfigError: With everything that is wrong.
    """
    document = read(path)
    return _Loading(path, document.values, dict(document.lines), host).run(overrides)


class _Loading:
    """The steps of `load_config`, and what is found wrong on the way."""

    def __init__(
        self, path: Path, values: dict[str, Any], lines: dict[str, int], host: PluginHost
    ) -> None:
        self._path = path
        self._values = values
        self._host = host
        self._problems: list[Problem] = []
        self._notices: list[str] = []
        self._provenance = {key: Provenance("file", line) for key, line in lines.items()}

    def run(self, overrides: Sequence[str]) -> LoadedConfig:
        for override in overrides:
            self._override(override)
        normalized = compatibility.normalize(self._values)
        self._problems += normalized.problems
        self._notices += normalized.notices
        for new, old in normalized.renamed.items():
            self._move(old, new)
        values = normalized.values
        self._load_plugins(values.get("plugins"))
        values = self._fill_in(values)
        config = self._validate(values)
        self._problems += self._component_problems(values)
        if self._problems or config is None:
            raise ConfigError(_located(self._problems, self._provenance), self._path)
        self._announce(config)
        self._note_defaults(config, values)
        return LoadedConfig(self._path, config, self._values, self._provenance, self._notices)

    def _override(self, override: str) -> None:
        try:
            key = apply(self._values, override)
        except ConfigError as error:
            self._problems += error.problems
            return
        for inner in [k for k in self._provenance if _is_within(k, key)]:
            del self._provenance[inner]
        value = keys.look_up(self._values, keys.split(key))
        self._provenance[key] = Provenance("set")
        for inner, _ in keys.walk(value, key):
            self._provenance[inner] = Provenance("set")
        while key := keys.parent(key):
            self._provenance.setdefault(key, Provenance("set"))

    def _move(self, old: str, new: str) -> None:
        for key in [k for k in self._provenance if _is_within(k, old)]:
            self._provenance[new + key.removeprefix(old)] = self._provenance.pop(key)

    def _load_plugins(self, files: Any) -> None:
        if not isinstance(files, list):
            return
        for index, name in enumerate(files):
            if isinstance(name, str):
                try:
                    self._host.add_file(self._path.parent / Path(name).expanduser())
                except PluginError as error:
                    self._problems.append(Problem(keys.join("plugins", index), str(error)))

    def _fill_in(self, values: dict[str, Any]) -> dict[str, Any]:
        """Let the net type stand for the model where the file has none."""
        if values.get("model"):
            return values
        if not isinstance(values.get("net_type"), str):
            message = "missing key 'model'; write it, or name an architecture with 'net_type'"
            self._problems.append(Problem("", message))
            return values
        try:
            filled = net_types.fill_in(values, self._host)
        except ConfigError as error:
            self._problems += error.problems
            return values
        for key, _ in keys.walk(filled):
            self._provenance.setdefault(key, Provenance("net_type"))
        return filled

    def _validate(self, values: dict[str, Any]) -> RunConfig | None:
        try:
            config = RunConfig.model_validate(values)
        except ValidationError as error:
            self._problems += problems.from_validation(error, values, "", _known_keys)
            return None
        if values.get("model"):
            for name in ("backbone", "heads"):
                if not getattr(config.model, name):
                    self._problems.append(Problem("model", f"missing key {name!r}"))
        return config

    def _component_problems(self, values: dict[str, Any]) -> list[Problem]:
        """What is wrong with the blocks of components, whatever the numbers of the data are."""
        common: list[Problem] | None = None
        for stand_ins in _STAND_INS:
            checker = ComponentChecker(self._host, stand_ins | _known_numbers(values))
            checker.check(values)
            found = checker.problems
            common = found if common is None else [one for one in common if one in found]
            if not common:
                break
        return common or []

    def _note_defaults(self, config: RunConfig, values: dict[str, Any]) -> None:
        nulls = {key for key, value in keys.walk(values) if value is None}
        for key, value in keys.walk(config.model_dump()):
            if key in nulls and value is not None:
                self._provenance[key] = Provenance("default", self._provenance[key].line)
            else:
                self._provenance.setdefault(key, Provenance("default"))

    def _announce(self, config: RunConfig) -> None:
        for key, why in compatibility.notices_of(config):
            line = self._provenance[key].line if key in self._provenance else None
            place = f" (line {line})" if line is not None else ""
            self._notices.append(f"{key} has no effect{place}: {why}")


def _known_keys(place: tuple[Part, ...]) -> list[str]:
    section = section_at(RunConfig, place)
    if section is None:
        return []
    aliases = compatibility.ALIASES.get(keys.join_all("", place), {})
    return [name for name in section.model_fields if name not in aliases]


def _is_within(key: str, outer: str) -> bool:
    return key == outer or key.startswith((f"{outer}.", f"{outer}["))


def _nearest_line(key: str, provenance: Mapping[str, Provenance]) -> int | None:
    while key:
        found = provenance.get(key)
        if found is not None and (found.line is not None or found.source == "set"):
            return found.line
        key = keys.parent(key)
    return None


def _located(found: Sequence[Problem], provenance: Mapping[str, Provenance]) -> list[Problem]:
    """Problems with their lines, each once, in the order of the file."""
    placed = []
    for problem in found:
        line = problem.line if problem.line is not None else _nearest_line(problem.key, provenance)
        message = problem.message
        source = provenance.get(problem.key)
        if line is None and source is not None and source.source in ("set", "net_type"):
            origin = "--set" if source.source == "set" else "the net type"
            message = f"{message} (from {origin})"
        placed.append(Problem(problem.key, message, line))
    unique = list(dict.fromkeys(placed))
    return sorted(unique, key=lambda problem: (problem.line is None, problem.line or 0))


def _known_numbers(values: dict[str, Any]) -> dict[str, Any]:
    """What `metadata` says of the data."""
    metadata = values.get("metadata")
    found = {}
    if isinstance(metadata, dict):
        for key, name in (("bodyparts", "num_bodyparts"), ("individuals", "num_individuals")):
            if isinstance(metadata.get(key), list) and metadata[key]:
                found[name] = len(metadata[key])
    return found
