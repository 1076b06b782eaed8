"""Discover plugins, check them, keep the broken ones from hurting the rest, collect the others."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pluggy
from importlib_metadata import EntryPoint, entry_points

from dlcore import hookspecs
from dlcore.component import Component
from dlcore.errors import PluginError, UnknownComponentError
from dlcore.hookspecs import ENTRY_POINT_GROUP, KINDS, hook_name, singular
from dlcore.registry import Entry, Registry

DISABLE_VARIABLE = "DLCORE_DISABLE_PLUGINS"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """An installed plugin that works.

    Attributes:
        name: Name of the entry point, or of the file without its suffix.
        distribution: What `pip` calls the package; None for a single file.
        version: Version of that package; None for a single file.
        location: The module, or the path of the file.
    """

    name: str
    distribution: str | None
    version: str | None
    location: str


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that was skipped whole, and why."""

    name: str
    distribution: str
    reason: str


class PluginHost:
    """The plugins of one process and what they offer.

    A host is an object that is made and passed on, not a global: tests and embedding programs
    make their own.

    Attributes:
        registries: One `Registry` per kind.
        plugins: What works, by name.
        failures: What was skipped.
        disabled: Names that were switched off by `DLCORE_DISABLE_PLUGINS`.
    """

    def __init__(self) -> None:
        self._pm = pluggy.PluginManager("dlcore")
        self._pm.add_hookspecs(hookspecs)
        self.registries = {kind: Registry(kind, self._explain_missing) for kind in KINDS}
        self.plugins: dict[str, PluginInfo] = {}
        self.failures: list[PluginFailure] = []
        self.disabled: list[str] = []

    @classmethod
    def from_entry_points(cls, found: Iterable[EntryPoint] | None = None) -> PluginHost:
        """Load every installed plugin.

        Args:
            found: Entry points to load instead of those installed in this environment.

        `DLCORE_DISABLE_PLUGINS=a,b` in the environment skips plugins by name.
        """
        host = cls()
        names = os.environ.get(DISABLE_VARIABLE, "").split(",")
        disabled = {name.strip() for name in names if name.strip()}
        if found is None:
            found = entry_points(group=ENTRY_POINT_GROUP)
        for entry_point in sorted(found, key=lambda ep: (ep.name, ep.value)):
            if entry_point.name in disabled:
                host.disabled.append(entry_point.name)
            else:
                host._load_entry_point(entry_point)
        return host

    def _load_entry_point(self, entry_point: EntryPoint) -> None:
        distribution = entry_point.dist.name if entry_point.dist else "unknown"
        version = entry_point.dist.version if entry_point.dist else None
        try:
            info = PluginInfo(entry_point.name, distribution, version, entry_point.value)
            self.add(entry_point.load(), name=entry_point.name, info=info)
        except Exception as error:  # noqa: BLE001  a plugin may raise anything
            reason = f"{type(error).__name__}: {error}"
            self.failures.append(PluginFailure(entry_point.name, distribution, reason))

    def add_file(self, path: Path) -> None:
        """Load one unpackaged plugin, as `--plugin my_plugin.py` does.

        The name of the plugin is the file's name without its suffix. The file may hold hook
        implementations and component classes together, with targets like "my_plugin:MyHead".

        Raises:
            PluginError: If the file is missing, cannot be imported, or breaks the contract.
        """
        path = path.expanduser().resolve()
        if not path.is_file():
            raise PluginError(f"there is no plugin file {str(path)!r}")
        name = path.stem
        if name in sys.modules and getattr(sys.modules[name], "__file__", None) != str(path):
            raise PluginError(
                f"plugin file {str(path)!r} has the name of an imported module; rename the file"
            )
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PluginError(f"{str(path)!r} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # so that "my_plugin:MyHead" and pickling find it
        try:
            spec.loader.exec_module(module)
            self.add(module, name=name, info=PluginInfo(name, None, None, str(path)))
        except PluginError as error:
            del sys.modules[name]
            raise PluginError(f"plugin file {str(path)!r}: {error}") from error
        except Exception as error:
            del sys.modules[name]
            raise PluginError(
                f"plugin file {str(path)!r} cannot be imported: {type(error).__name__}: {error}"
            ) from error

    def add(self, plugin: object, *, name: str, info: PluginInfo | None = None) -> None:
        """Register one plugin, or leave the host as it was.

        Raises:
            PluginError: If the plugin breaks the contract of the hooks.
        """
        if self._pm.has_plugin(name):
            raise PluginError(f"another plugin is already named {name!r}")
        try:
            self._pm.register(plugin, name=name)
            offers = self._collect(plugin)
        except Exception as error:
            if self._pm.has_plugin(name):  # pluggy keeps a plugin that failed half way
                self._pm.unregister(name=name)
            if isinstance(error, pluggy.PluginValidationError):
                raise PluginError(str(error)) from error
            raise
        for kind, components in offers.items():
            self.registries[kind].add(name, components)
        self.plugins[name] = info or PluginInfo(name, None, None, repr(plugin))

    def _collect(self, plugin: object) -> dict[str, list[Component]]:
        callers = self._pm.get_hookcallers(plugin) or []
        unknown = [caller.name for caller in callers if not caller.has_spec()]
        if unknown:
            raise PluginError(f"implements unknown hooks: {', '.join(unknown)}")
        offers: dict[str, list[Component]] = {}
        for kind in KINDS:
            caller = getattr(self._pm.hook, hook_name(kind))
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    components = implementation.function()
                    _check(kind, components)
                    offers[kind] = list(components)
        if not offers:
            raise PluginError("implements no hook; is @dlcore.hookimpl missing?")
        return offers

    def find(self, kind: str, name: str) -> Entry:
        """The component of that kind and name; see `Registry.find`."""
        return self.registries[kind].find(name)

    def find_any(self, name: str) -> list[tuple[str, Entry]]:
        """All (kind, entry) pairs with that short or qualified name, over all kinds.

        Raises:
            UnknownComponentError: If there are none.
        """
        found = [
            (kind, entry)
            for kind, registry in self.registries.items()
            for entry in registry
            if name in (entry.name, entry.qualified_name)
        ]
        if not found:
            everything = Registry("components", lambda _, __: self._failure_lines())
            for registry in self.registries.values():
                for entry in registry:
                    everything.add(entry.plugin, [entry.component])
            everything.find(name)  # raises, with near names
        return found

    def _explain_missing(self, kind: str, name: str) -> list[str]:
        lines = []
        for other, registry in self.registries.items():
            if other == kind:
                continue
            try:
                entry = registry.find(name)
            except UnknownComponentError:
                continue
            except Exception as error:  # noqa: BLE001  ambiguous: it says so itself
                lines.append(str(error))
                continue
            lines.append(f"{entry.name!r} is a {singular(other)}, not a {singular(kind)}")
        return lines + self._failure_lines()

    def _failure_lines(self) -> list[str]:
        lines = [f"plugin {f.name!r} failed to load: {f.reason}" for f in self.failures]
        return lines + [f"plugin {n!r} is disabled by {DISABLE_VARIABLE}" for n in self.disabled]


def _check(kind: str, components: object) -> None:
    if not isinstance(components, list):
        raise PluginError(f"{hook_name(kind)} must return a list of Component")
    seen: set[str] = set()
    for component in components:
        if not isinstance(component, Component):
            raise PluginError(f"{hook_name(kind)} returned {component!r}, which is not a Component")
        if component.name in seen:
            raise PluginError(f"{hook_name(kind)} offers {component.name!r} twice")
        seen.add(component.name)
