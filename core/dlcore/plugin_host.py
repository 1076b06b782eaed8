"""Discover plugins, check them, keep the broken ones from hurting the rest, collect the others."""

from __future__ import annotations

import difflib
import functools
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path

import pluggy
from importlib_metadata import Distribution, EntryPoint, entry_points

from dlcore import hookspecs
from dlcore.component import Component
from dlcore.errors import PluginError
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
        not_disabled: Names in it that no installed plugin has, each with the nearest that one has.
        expected: Plugins that a run was made with, by name, to be told where one is missing.
    """

    def __init__(self) -> None:
        self._pm = pluggy.PluginManager("dlcore")
        self._pm.add_hookspecs(hookspecs)
        self.registries = {kind: Registry(kind, self._explain_missing) for kind in KINDS}
        self.plugins: dict[str, PluginInfo] = {}
        self.failures: list[PluginFailure] = []
        self.disabled: list[str] = []
        self.not_disabled: dict[str, str | None] = {}
        self.expected: dict[str, PluginInfo] = {}

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
        found = sorted(found, key=lambda ep: (ep.name, ep.value))
        installed = [entry_point.name for entry_point in found]
        for name in sorted(disabled.difference(installed)):
            near = difflib.get_close_matches(name, installed, n=1)
            host.not_disabled[name] = near[0] if near else None
        for entry_point in found:
            if entry_point.name in disabled:
                host.disabled.append(entry_point.name)
            else:
                host._load_entry_point(entry_point)
        return host

    def _load_entry_point(self, entry_point: EntryPoint) -> None:
        distribution = "unknown"
        try:
            version = None
            if entry_point.dist is not None:
                distribution, version = _name_and_version(entry_point.dist)  # type: ignore[arg-type]
            info = PluginInfo(entry_point.name, distribution, version, entry_point.value)
            self.add(entry_point.load(), name=entry_point.name, info=info)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything
            self.failures.append(PluginFailure(entry_point.name, distribution, _reason(error)))

    def add_file(self, path: Path) -> None:
        """Load one unpackaged plugin, as `--plugin my_plugin.py` does.

        The name of the plugin is the file's name without its suffix. The file may hold hook
        implementations and component classes together, with targets like "my_plugin:MyHead".
        A file that this host has loaded already is not loaded again.

        Raises:
            PluginError: If the file is missing, cannot be imported, or breaks the contract.
        """
        path = path.expanduser().resolve()
        name = path.stem
        if name in self.plugins and self.plugins[name].location == str(path):
            return
        spec, loader = _module_spec(path)
        module = importlib.util.module_from_spec(spec)
        before = sys.modules.get(name)
        sys.modules[name] = module  # so that "my_plugin:MyHead" and pickling find it
        try:
            loader.exec_module(module)
            self.add(module, name=name, info=PluginInfo(name, None, None, str(path)))
        except BaseException as error:
            del sys.modules[name]
            if before is not None:
                sys.modules[name] = before
            if isinstance(error, Exception | SystemExit):
                raise PluginError(f"plugin file {str(path)!r}: {_reason(error)}") from error
            raise

    def add(self, plugin: object, *, name: str, info: PluginInfo | None = None) -> None:
        """Register one plugin, or leave the host as it was.

        Raises:
            PluginError: If the plugin breaks the contract of the hooks.
        """
        if self._pm.has_plugin(name):
            raise PluginError(f"another plugin is already named {name!r}")
        registered_as = self._pm.get_name(plugin)
        if registered_as is not None:
            raise PluginError(f"the same plugin is already registered as {registered_as!r}")
        try:
            self._pm.register(plugin, name=name)
            offers = self._collect(plugin)
        except BaseException as error:
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
        unknown = [
            _unknown_hook(caller.name)
            for caller in callers
            if not caller.has_spec()
            and not all(i.optionalhook for i in caller.get_hookimpls() if i.plugin is plugin)
        ]
        if unknown:
            raise PluginError(f"implements unknown hooks: {', '.join(unknown)}")
        offers: dict[str, list[Component]] = {}
        for kind in KINDS:
            caller = getattr(self._pm.hook, hook_name(kind))
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    offers[kind] = _call(kind, implementation)
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
            for entry in registry.matching(name)
        ]
        if not found:
            everything = Registry("components", lambda _, name: self._plugin_lines(name))
            for registry in self.registries.values():
                for entry in registry:
                    everything.add(entry.plugin, [entry.component])
            everything.find(name)  # raises, with near names
        return found

    def _explain_missing(self, kind: str, name: str) -> list[str]:
        others = {
            other: registry.matching(name)
            for other, registry in self.registries.items()
            if other != kind
        }
        lines = [
            f"{name!r} is a {singular(other)}, not a {singular(kind)}"
            for other, entries in others.items()
            if entries
        ]
        return lines + self._plugin_lines(name)

    def _plugin_lines(self, name: str) -> list[str]:
        """What may keep `name` from being found: plugins that are broken, disabled, missing."""
        lines = [f"plugin {f.name!r} failed to load: {f.reason}" for f in self.failures]
        lines += [f"plugin {n!r} is disabled by {DISABLE_VARIABLE}" for n in self.disabled]
        plugin, slash, _ = name.partition("/")
        seen = {*self.plugins, *self.disabled, *(f.name for f in self.failures)}
        if slash and plugin not in seen:
            lines.append(f"no plugin named {plugin!r} is installed")
        missing = [info for other, info in self.expected.items() if other not in seen]
        return lines + [_remedy(info) for info in missing if not slash or info.name == plugin]


@functools.cache
def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """Of a package; each look costs a reading of its metadata, and it may have many plugins."""
    return distribution.name, distribution.version


def _remedy(info: PluginInfo) -> str:
    """How to get a plugin that a run was made with."""
    told = f"the run was made with plugin {info.name!r}"
    if info.distribution is None:
        return f"{told} in a file: --plugin {info.location}" if info.location else told
    version = f"=={info.version}" if info.version else ""
    return f"{told}: pip install {info.distribution}{version}"


def _reason(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _module_spec(path: Path) -> tuple[ModuleSpec, Loader]:
    """How to import a plugin file, or a PluginError that says what is wrong with the file."""
    shown, name = repr(str(path)), path.stem
    if not path.is_file():
        raise PluginError(f"there is no plugin file {shown}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin file {shown} is not a Python file; its name must end with .py")
    if not name.isidentifier():
        raise PluginError(
            f"plugin file {shown} cannot be imported under the name {name!r}; "
            f"rename the file to letters, digits and underscores"
        )
    if name in sys.modules:
        taken = getattr(sys.modules[name], "__file__", None) or "built-in"
    else:
        other = importlib.util.find_spec(name)
        taken = other.origin if other is not None else None
    if taken is not None and Path(taken).resolve() != path:
        raise PluginError(
            f"plugin file {shown} has the name of an installed module; rename the file"
        )
    return spec, spec.loader


def _unknown_hook(name: str) -> str:
    near = difflib.get_close_matches(name, [hook_name(kind) for kind in KINDS], n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name


def _call(kind: str, implementation: pluggy.HookImpl) -> list[Component]:
    hook = hook_name(kind)
    try:
        components = implementation.function()
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{hook} raised {type(error).__name__}: {error}") from error
    if not isinstance(components, list):
        raise PluginError(f"{hook} must return a list of Component")
    seen: set[str] = set()
    for component in components:
        if not isinstance(component, Component):
            raise PluginError(f"{hook} returned {component!r}, which is not a Component")
        if component.name in seen:
            raise PluginError(f"{hook} offers {component.name!r} twice")
        seen.add(component.name)
    return list(components)
