"""YAML in bounds: plain values, and the line of each.

Hides PyYAML, of which only the events are used, and what of YAML is left out. Nothing is constructed by a tag. Plain
scalars mean what they mean in JSON: `no`, `on`, `1:30` and `2026-11-28` are texts, since in a file of answers that is
what they are. Aliases stand for what they name, and count again each time; a mapping has each key once.

Covered: size, depth, number of values with aliases written out. Not covered: who may write the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from linnet.limits import LIMITS

Path = tuple[str | int, ...]
"""Where in the document: keys and places, from the outside in."""


class Wrong(ValueError):
    """What is wrong, and in which line; 0 where it is the whole."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@dataclass(frozen=True)
class Marked:
    """A document: its value, and the line (from 1) in which each of its parts begins, by path."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Of the part at this path, or of the nearest around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(body: bytes) -> Marked:
    """The one document of a file. Raises Wrong."""
    if len(body) > LIMITS.lab_file_bytes:
        raise Wrong(f"it is over {LIMITS.lab_file_bytes:,} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Wrong(f"it is not UTF-8 at byte {error.start}", body[: error.start].count(b"\n") + 1) from None
    try:
        return _Reader(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Wrong(f"it is not YAML: {error.problem or error.context}", line) from None
    except yaml.YAMLError as error:  # characters that YAML forbids
        raise Wrong(f"it is not YAML: {' '.join(str(error).split())[:200]}") from None


# --- from events to values -----------------------------------------------------------------------


@dataclass
class _Node:
    """A value in the making. `parts` are what it consists of, for a sequence and a mapping; `size` counts all."""

    line: int
    value: Any = None
    parts: list[tuple[str | int, _Node]] = field(default_factory=list)
    size: int = 1
    depth: int = 1
    whole: bool = False


class _Reader:
    def __init__(self, given: Iterator[Any]) -> None:
        self._events, self._anchors = given, dict[str, _Node]()

    def document(self) -> Marked:
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent) and root is not None:
                raise Wrong("it holds a second document", _line(event))
            if isinstance(event, events.NodeEvent):
                root = self._node(event, 1)
        if root is None:
            raise Wrong("it is empty")
        lines: dict[Path, int] = {}
        return Marked(_written(root, (), lines), lines)

    def _node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, events.AliasEvent):
            return self._named(event, depth)
        if depth > LIMITS.lab_depth:
            raise Wrong(f"it nests deeper than {LIMITS.lab_depth} levels", _line(event))
        if event.tag not in (None, "!"):
            raise Wrong(f"it has the tag {event.tag[:80]!r}; values here have no tags", _line(event))
        node = _Node(_line(event))
        if event.anchor:
            self._anchors[event.anchor] = node
        if isinstance(event, events.ScalarEvent):
            node.value = _scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, events.SequenceStartEvent):
            self._sequence(node, depth)
        else:
            self._mapping(node, depth)
        node.size += sum(part.size for _, part in node.parts)
        node.depth += max((part.depth for _, part in node.parts), default=0)
        if node.size > LIMITS.lab_values:
            raise Wrong(f"it has over {LIMITS.lab_values:,} values, aliases written out", node.line)
        node.whole = True
        return node

    def _named(self, event: Any, depth: int) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None or not node.whole:
            raise Wrong(f"the alias *{event.anchor} names nothing that stands before it", _line(event))
        if depth + node.depth - 1 > LIMITS.lab_depth:
            raise Wrong(f"it nests deeper than {LIMITS.lab_depth} levels", _line(event))
        return node

    def _sequence(self, node: _Node, depth: int) -> None:
        node.value = []
        for event in self._until(events.SequenceEndEvent):
            node.parts.append((len(node.parts), self._node(event, depth + 1)))

    def _mapping(self, node: _Node, depth: int) -> None:
        node.value = {}
        seen: dict[str, int] = {}
        for event in self._until(events.MappingEndEvent):
            key = self._node(event, depth + 1)
            if isinstance(key.value, list | dict):
                raise Wrong("a key is a text", key.line)
            name = event.value if isinstance(event, events.ScalarEvent) else str(key.value)
            if name in seen:
                raise Wrong(f"the key {name[:80]!r} stands there twice, first in line {seen[name]}", key.line)
            seen[name] = key.line
            value = self._node(next(self._events), depth + 1)
            node.parts.append((name, value))

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _written(node: _Node, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.line
    if isinstance(node.value, dict):
        return {key: _written(part, (*path, key), lines) for key, part in node.parts}
    if isinstance(node.value, list):
        return [_written(part, (*path, key), lines) for key, part in node.parts]
    return node.value


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


# --- scalars -------------------------------------------------------------------------------------

_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"[-+]?[0-9]{1,300}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)
_WORDS = {"": None, "~": None, **dict.fromkeys(("null", "Null", "NULL"))}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)


def _scalar(text: str) -> Any:
    """By the core schema of YAML 1.2, without its octal and hexadecimal numbers, infinities and not-a-number."""
    if text in _WORDS:
        return _WORDS[text]
    for form, make in _NUMBERS:
        if form.fullmatch(text) and math.isfinite(value := make(text)):
            return value
    return text
