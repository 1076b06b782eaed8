"""Every error that is meant for users. The command line prints them without a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class DlcoreError(Exception):
    """The base of all errors that a user can cause and mend."""


class PluginError(DlcoreError):
    """A plugin breaks the contract of the hooks."""


class ComponentError(DlcoreError):
    """A component cannot be found, loaded or built."""


class UnknownComponentError(ComponentError):
    """No installed plugin offers a component of that name."""


class AmbiguousComponentError(ComponentError):
    """Several plugins offer a component of that short name."""


class ComponentImportError(ComponentError):
    """A component is registered, but its class cannot be imported."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a config file.

    Attributes:
        key: Dotted key, for example "runner.optimizer.params.lr"; empty for the whole file.
        message: What is wrong and, last, what to do about it.
        line: Line of the key in the file, from 1; None when it does not come from the file.
    """

    key: str
    message: str
    line: int | None = None


class ConfigError(DlcoreError):
    """A config file or an override is wrong. Carries every problem at once.

    Args:
        problems: All that is wrong, in the order of the file.
        path: The file, if there is one.
    """

    def __init__(self, problems: Sequence[Problem], path: Path | None = None) -> None:
        self.problems = tuple(problems)
        self.path = path
        super().__init__("\n".join(self.messages()))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...], Path | None]]:
        """Pickle the parts, so that the error survives the way out of a worker process."""
        return type(self), (self.problems, self.path)

    def messages(self) -> list[str]:
        """One message per problem: "run.yaml:3: model.headds: unknown key"."""
        return [self._message(problem) for problem in self.problems]

    def _message(self, problem: Problem) -> str:
        place = "" if self.path is None else str(self.path)
        if problem.line is not None:
            place = f"{place}:{problem.line}" if place else f"line {problem.line}"
        return ": ".join(part for part in (place, problem.key, problem.message) if part)


class DataError(DlcoreError):
    """A dataset, an image or a label is missing, damaged or contradicts the config."""


class SnapshotError(DlcoreError):
    """A snapshot is damaged, unsafe or belongs to another model."""


class ExportError(DlcoreError):
    """A network cannot be exported, or an exported one cannot be used."""


class TrainingError(DlcoreError):
    """A run cannot start or go on; the message says what to change."""
