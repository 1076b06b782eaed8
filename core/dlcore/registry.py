"""Components of one kind: find by name; explain the unknown, the ambiguous and the broken."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dlcore.component import Component
from dlcore.errors import AmbiguousComponentError, UnknownComponentError
from dlcore.hookspecs import singular


@dataclass(frozen=True, slots=True)
class Entry:
    """A component and the plugin that offers it."""

    plugin: str
    component: Component

    @property
    def name(self) -> str:
        """The short name, as in `type: HeatmapHead`."""
        return self.component.name

    @property
    def qualified_name(self) -> str:
        """The name that is never ambiguous, as in `type: heatmap/HeatmapHead`."""
        return f"{self.plugin}/{self.component.name}"


class Registry:
    """Components of one kind, found by short name ("ResNet") or qualified name ("acme/ResNet").

    The answer never depends on the order in which plugins were loaded. Two plugins may offer the
    same short name: the registry keeps both and asks the user to qualify.

    Args:
        kind: One of `dlcore.hookspecs.KINDS`.
        explain_missing: Gives further lines for the error about a name that nobody offers.
    """

    def __init__(
        self, kind: str, explain_missing: Callable[[str, str], list[str]] | None = None
    ) -> None:
        self.kind = kind
        self._explain_missing = explain_missing
        self._entries: dict[str, Entry] = {}  # by qualified name

    def add(self, plugin: str, components: Iterable[Component]) -> None:
        """Add what one plugin offers. The host has checked that its names differ."""
        for component in components:
            entry = Entry(plugin, component)
            self._entries[entry.qualified_name] = entry

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: (entry.name, entry.plugin)))

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        """What can be written after `type:`: short names, qualified where several offer one."""
        entries = list(self)
        counts: dict[str, int] = {}
        for entry in entries:
            counts[entry.name] = counts.get(entry.name, 0) + 1
        return [e.name if counts[e.name] == 1 else e.qualified_name for e in entries]

    def matching(self, name: str) -> list[Entry]:
        """All entries of that short or qualified name, in order; empty if there are none."""
        if name in self._entries:
            return [self._entries[name]]
        return [entry for entry in self if entry.name == name]

    def find(self, name: str) -> Entry:
        """Return the entry for a short or qualified name.

        Raises:
            UnknownComponentError: If no plugin offers it. The message suggests near misses.
            AmbiguousComponentError: If several plugins offer the short name.
        """
        matches = self.matching(name)
        if len(matches) == 1:
            return matches[0]
        if matches:
            choices = ", ".join(entry.qualified_name for entry in matches)
            raise AmbiguousComponentError(
                f"{singular(self.kind)} {name!r} is offered by {len(matches)} plugins; "
                f"write one of: {choices}"
            )
        raise UnknownComponentError(self._unknown(name))

    def _unknown(self, name: str) -> str:
        near = self._near(name)
        kind = singular(self.kind)
        article = "an" if kind[0] in "aeiou" else "a"
        lines = [f"no plugin offers {article} {kind} named {name!r}"]
        lines += [
            f"  did you mean {written!r}? (from plugin {plugin!r})" for written, plugin in near
        ]
        if self._explain_missing is not None:
            lines += [f"  {line}" for line in self._explain_missing(self.kind, name)]
        if not near:
            known = ", ".join(self.names()) or "none"
            lines.append(f"  known {self.kind.replace('_', ' ')}: {known}")
        return "\n".join(lines)

    def _near(self, name: str) -> list[tuple[str, str]]:
        """Up to three (what to write, plugin) pairs whose component is spelt much like `name`."""
        short = name.rpartition("/")[2].lower()
        by_short: dict[str, list[tuple[str, str]]] = {}
        for written, entry in zip(self.names(), self, strict=True):
            by_short.setdefault(entry.name.lower(), []).append((written, entry.plugin))
        matches = difflib.get_close_matches(short, by_short, n=3, cutoff=0.6)
        return [pair for match in matches for pair in by_short[match]][:3]
