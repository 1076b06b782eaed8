"""Reading YAML: version 1.2, the line of every key, duplicate keys refused.

YAML 1.2 means that `1e-4` is a number, that only `true` and `false` are booleans, and that a date
is text. PyYAML follows version 1.1, so only its parser is used: values are made here.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dlcore.config import keys
from dlcore.errors import ConfigError, Problem

MAX_NODES = 200_000
"""A file with more values than this, after aliases are followed, is refused."""

MAX_DEPTH = 100
"""A file whose maps and lists are nested more deeply than this is refused."""

_PREFIX = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_INDENT = re.compile(rf"^[ ?-]{{{MAX_DEPTH},}}", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class _CoreResolver(yaml.resolver.BaseResolver):
    """The core schema of YAML 1.2, and merge keys."""


for _tag, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", re.compile("<<"), ["<"]),
):
    _CoreResolver.add_implicit_resolver(
        _PREFIX + _tag, re.compile(f"(?:{_pattern.pattern})$"), _first
    )

_Loader: type[Any]
if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _CLoader(CParser, _CoreResolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _CoreResolver.__init__(self)

    _Loader = _CLoader
else:  # pragma: no cover  PyYAML built without libyaml, eight times slower

    class _PythonLoader(
        yaml.reader.Reader,
        yaml.scanner.Scanner,
        yaml.parser.Parser,
        yaml.composer.Composer,
        _CoreResolver,
    ):
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            _CoreResolver.__init__(self)

    _Loader = _PythonLoader


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain Python.

    Attributes:
        values: Its top-level map.
        lines: Dotted key to line, from 1.
    """

    values: dict[str, Any]
    lines: Mapping[str, int]


def read(path: Path) -> Document:
    """Read a YAML file whose top level is a map.

    Raises:
        ConfigError: If it cannot be read or is not such a file; with the line where there is one.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([Problem("", "there is no such file")], path) from None
    except IsADirectoryError:
        raise ConfigError([Problem("", "is a folder, not a YAML file")], path) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise ConfigError([Problem("", reason)], path) from error
    try:
        return parse(_decode(data))
    except ConfigError as error:
        raise ConfigError(error.problems, path) from error


def parse(text: str) -> Document:
    """Read YAML whose top level is a map.

    Raises:
        ConfigError: As `read`, without a path.
    """
    node = _compose(text)
    if node is None:
        raise ConfigError([Problem("", "is empty; write a map of keys and values")])
    builder = _Builder()
    value = builder.build(node, "")
    if builder.problems:
        raise ConfigError(builder.problems)
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else f"the single value {_short(value)}"
        message = f"holds {what} instead of a map of keys and values"
        raise ConfigError([Problem("", message, _line(node))])
    return Document(value, builder.lines)


def parse_value(text: str) -> Any:
    """Read one YAML value, as it stands after `--set key=`. Nothing at all is null.

    Raises:
        ConfigError: If it is not YAML.
    """
    node = _compose(text)
    if node is None:
        return None
    builder = _Builder()
    value = builder.build(node, "")
    if builder.problems:
        raise ConfigError(builder.problems)
    return value


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError([Problem("", "is UTF-16 text; save it as UTF-8")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        message = f"is not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8"
        raise ConfigError([Problem("", message, line)]) from error
    found = _CONTROL.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        message = f"is not text: it holds the control character {found.group()!r}"
        raise ConfigError([Problem("", message, line)])
    return text


def _compose(text: str) -> yaml.Node | None:
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        raise ConfigError([Problem("", _explain(error, text, line), line)]) from error
    except yaml.YAMLError as error:
        raise ConfigError([Problem("", f"is not YAML: {error}")]) from error


def _check_depth(text: str) -> None:
    """Refuse what libyaml's recursion would not survive; costs nothing for an ordinary file."""
    if text.count("[") + text.count("{") < MAX_DEPTH and not _INDENT.search(text):
        return
    loader = _Loader(text)
    try:
        depth = 0
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                message = f"is nested more than {MAX_DEPTH} deep"
                raise ConfigError([Problem("", message, event.start_mark.line + 1)])
    finally:
        loader.dispose()


def _explain(error: yaml.MarkedYAMLError, text: str, line: int | None) -> str:
    problem = str(error.problem or error)
    content = (
        text.splitlines()[line - 1] if line is not None and text.splitlines()[line - 1 :] else ""
    )
    indent = content[: len(content) - len(content.lstrip())]
    if "\t" in indent or "'\\t'" in problem or "'\t'" in problem:
        return "a tab stands where only spaces may; replace it by spaces"
    if "single document" in str(error):
        return "holds several documents; remove the line '---' between them"
    if "mapping values are not allowed" in problem:
        return "is not YAML: a colon stands where none may; quote the text or check the indentation"
    context = f" ({error.context})" if error.context else ""
    return f"is not YAML: {problem}{context}"


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1


class _Builder:
    """Makes plain values from nodes, and notes lines and problems."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._count = 0
        self._open: list[yaml.Node] = []

    def build(self, node: yaml.Node, key: str) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            message = f"holds more than {MAX_NODES} values; are its aliases meant?"
            raise ConfigError([*self.problems, Problem("", message, _line(node))])
        if any(node is outer for outer in self._open):
            self._complain(key, "an alias refers to the value that holds it", node)
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._map(node, key)
            assert isinstance(node, yaml.SequenceNode)
            return self._list(node, key)
        finally:
            self._open.pop()

    def _complain(self, key: str, message: str, node: yaml.Node) -> None:
        self.problems.append(Problem(key, message, _line(node)))

    def _list(self, node: yaml.SequenceNode, key: str) -> list[Any]:
        self._check_tag(node, key, "seq")
        items = []
        for index, item in enumerate(node.value):
            item_key = keys.join(key, index)
            self.lines[item_key] = _line(item)
            items.append(self.build(item, item_key))
        return items

    def _map(self, node: yaml.MappingNode, key: str) -> dict[str, Any]:
        self._check_tag(node, key, "map")
        values: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        merged = []
        for name_node, value_node in node.value:
            if name_node.tag == _PREFIX + "merge":
                merged.append(value_node)
                continue
            name = self._name(name_node, key)
            if name is None:
                continue
            line = _line(name_node)
            item_key = keys.join(key, name)
            if name in first_line:
                message = f"is written twice, in lines {first_line[name]} and {line}; remove one"
                self._complain(item_key, message, name_node)
                continue
            first_line[name] = line
            self.lines[item_key] = line
            values[name] = self.build(value_node, item_key)
        for source in merged:
            self._merge(source, values, key)
        return values

    def _merge(self, node: yaml.Node, values: dict[str, Any], key: str) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._complain(key, "'<<' must name a map, or a list of maps", source)
                continue
            inner = _Builder()
            inner._count, inner._open = self._count, self._open
            merged = inner.build(source, key)
            self._count = inner._count
            self.problems += inner.problems
            for name in [name for name in merged or {} if name not in values]:
                values[name] = merged[name]
                place = keys.join(key, name)
                for item_key, line in inner.lines.items():
                    if item_key == place or item_key.startswith((place + ".", place + "[")):
                        self.lines[item_key] = line

    def _name(self, node: yaml.Node, key: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._complain(key, "a key must be text, not a list or a map", node)
            return None
        name = self._scalar(node, key)
        if not isinstance(name, str):
            self._complain(key, f"the key {node.value!r} must be text; put it in quotes", node)
            return None
        return name

    def _scalar(self, node: yaml.ScalarNode, key: str) -> Any:
        text: str = node.value
        tag = node.tag.removeprefix(_PREFIX)
        if tag in ("str", "merge"):
            return text
        pattern, convert = _SCALARS.get(tag, (None, None))
        if pattern is None or convert is None:
            self._complain(key, f"the tag {node.tag!r} is not supported; remove it", node)
            return None
        if not pattern.fullmatch(text):
            self._complain(key, f"{text!r} is tagged as {tag!r}, but is none", node)
            return None
        return convert(text)

    def _check_tag(self, node: yaml.Node, key: str, tag: str) -> None:
        if node.tag != _PREFIX + tag:
            self._complain(key, f"the tag {node.tag!r} is not supported; remove it", node)


def _to_int(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _to_float(text: str) -> float:
    lower = text.lower()
    if lower.endswith(".nan"):
        return math.nan
    if lower.endswith(".inf"):
        return -math.inf if lower.startswith("-") else math.inf
    return float(text)


_SCALARS: dict[str, tuple[re.Pattern[str], Any]] = {
    "null": (_NULL, lambda _: None),
    "bool": (_BOOL, lambda text: text.lower() == "true"),
    "int": (_INT, _to_int),
    "float": (re.compile(f"{_FLOAT.pattern}|{_INT.pattern}"), _to_float),
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
