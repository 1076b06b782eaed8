"""A component: a name and an import string, loaded when it is used."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass

from dlcore.errors import ComponentImportError, PluginError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Component:
    """One implementation offered by a plugin.

    Declaring a component costs nothing: the class is named, not imported.

    Attributes:
        name: What users write after `type:` in YAML: letters, digits and underscores.
        target: Where the class lives, as "package.module:ClassName".
        summary: One line for `dlcore list`.
        extra: What to install when importing fails, for example "dlcore[onnx]". Used only in
            error messages.

    Raises:
        PluginError: If `name`, `target`, `summary` or `extra` is not of that form.
    """

    name: str
    target: str
    summary: str = ""
    extra: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise PluginError(f"component name {self.name!r} must match {_NAME.pattern}")
        if not isinstance(self.target, str) or not _TARGET.fullmatch(self.target):
            raise PluginError(
                f"component {self.name!r}: target {self.target!r} must look like "
                f"'package.module:ClassName'"
            )
        if not isinstance(self.summary, str) or "\n" in self.summary:
            raise PluginError(f"component {self.name!r}: summary {self.summary!r} must be one line")
        if self.extra is not None and not isinstance(self.extra, str):
            raise PluginError(f"component {self.name!r}: extra {self.extra!r} must be a string")

    @property
    def module_name(self) -> str:
        """The module that holds the class."""
        return self.target.partition(":")[0]

    @property
    def class_name(self) -> str:
        """The name of the class in its module."""
        return self.target.partition(":")[2]

    def load(self) -> type:
        """Import and return the class.

        Raises:
            ComponentImportError: If the module or the class cannot be imported. The original
                error is chained, and the message names what to install when that is known.
        """
        try:
            cls = getattr(importlib.import_module(self.module_name), self.class_name)
        except (Exception, SystemExit) as error:  # a module that ends the process must not
            hint = f"\n  try: pip install '{self.extra}'" if self.extra else ""
            raise ComponentImportError(
                f"component {self.name!r} is registered, but importing {self.target} failed: "
                f"{type(error).__name__}: {error}{hint}"
            ) from error
        if not isinstance(cls, type):
            raise ComponentImportError(f"{self.target} is not a class")
        return cls
