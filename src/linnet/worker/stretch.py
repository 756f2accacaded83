"""How much text a constraint may force at one stretch, in characters: an estimate, before it is lowered.

What must be written is followed to its end before the first token, and again at each step: a pattern such as
`(a{1000}){1000}`, or a list of a thousand long constants, takes the processor for seconds. No answer is that long, so
what asks for such texts is refused by this number. Of alternatives the longest counts, and what may be left out
counts once: whoever has begun it has to end it. Hides the syntax of patterns and schemas; of what it does not
understand it counts little, and leaves the judgement to whoever lowers it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from linnet.requests import Choice, Constraint, Fixed, Holes, Pattern, Schema

_TOKEN = re.compile(
    r"(?P<escape>\\(?:[pP]\{[^}]*\}|[pP].|[xuU]\{[^}]*\}|x..|u.{4}|U.{8}|.))"
    r"|(?P<flags>\(\?[a-zA-Z-]+\))|(?P<open>\((?:\?(?:P?<[^>=!]*>|[a-zA-Z-]*:|<?[=!]))?)"
    r"|(?P<close>\))|(?P<either>\|)|(?P<edge>[\^$])"
    r"|(?P<times>(?:[*?+]|\{(?P<least>[0-9]*)(?:,[0-9]*)?\})\??)"
    r"|(?P<one>.)",
    re.DOTALL,
)

_NOTHING = frozenset("bBAzZGQE")
"""Escapes that stand for a place, or for no character."""

_DEEPEST = 96
"""Levels of a schema, its references followed; what is deeper counts as endless."""

_ENDLESS = 1 << 60


def stretch(constraint: Constraint) -> int:
    """Characters that have to follow each other, at the most."""
    match constraint:
        case Fixed(text=text):
            return len(text)
        case Choice(options=options):
            return max(map(len, options), default=0)
        case Pattern(regex=regex):
            return of_pattern(regex)
        case Schema(schema=schema):
            return _Sizes(schema).of(schema)
        case Holes(parts=parts):
            return sum(len(part.text) if isinstance(part, Fixed) else stretch(part.constraint) for part in parts)
    return 1


# --- patterns ------------------------------------------------------------------------------------


def of_pattern(regex: str) -> int:
    """Of a regular expression."""
    open_groups, group, at = [], _Group(), 0
    while found := _TOKEN.match(regex, at):
        at = found.end()
        if found["open"]:
            open_groups.append(group)
            group = _Group()
        elif found["close"] and open_groups:
            size, group = group.size, open_groups.pop()
            group.add(size)
        elif found["either"]:
            group.other()
        elif found["times"]:
            group.repeat(found["least"])
        elif found["one"] == "[":
            at = _behind_class(regex, at)
            group.add(1)
        elif found["one"] or (found["escape"] and found["escape"][1] not in _NOTHING):
            group.add(1)
        else:
            group.add(0)
    while open_groups:  # it has no end, and is no pattern
        size, group = group.size, open_groups.pop()
        group.add(size)
    return group.size


class _Group:
    """What has been read of one: the longest of its alternatives, the one under way, and its last part."""

    def __init__(self) -> None:
        self._best = self._before = self._last = 0

    def add(self, size: int) -> None:
        self._before, self._last = self._before + self._last, size

    def repeat(self, least: str | None) -> None:
        self._last *= max(1, int(least[:9])) if least else 1

    def other(self) -> None:
        self._best, self._before, self._last = self.size, 0, 0

    @property
    def size(self) -> int:
        return max(self._best, self._before + self._last)


def _behind_class(regex: str, at: int) -> int:
    """The place behind a class in brackets that begins before `at`; classes nest."""
    depth = 1
    while at < len(regex) and depth:
        if (regex[at] == "]" and regex[at - 1 : at] == "[") or regex[at - 2 : at + 1] == "[^]":
            at += 1  # the first one is a member
            continue
        depth += (regex[at] == "[") - (regex[at] == "]")
        at += 2 if regex[at] == "\\" else 1
    return at


# --- schemas -------------------------------------------------------------------------------------


class _Sizes:
    """Of the parts of one schema, each reference looked at once."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def of(self, schema: Any, depth: int = 0) -> int:
        if depth > _DEEPEST:
            return _ENDLESS
        if not isinstance(schema, dict):
            return 1
        if "const" in schema:
            return len(json.dumps(schema["const"], ensure_ascii=False))
        if isinstance(values := schema.get("enum"), list):
            return max((len(json.dumps(value, ensure_ascii=False)) for value in values), default=1)
        sizes = [self._by_kind(schema, depth)]
        if isinstance(reference := schema.get("$ref"), str):
            sizes.append(self._referred(reference, depth))
        for key in ("anyOf", "oneOf", "allOf"):
            if isinstance(parts := schema.get(key), list):
                sizes += [self.of(one, depth + 1) for one in parts]
        return max(sizes)

    def _referred(self, reference: str, depth: int) -> int:
        if reference not in self._known:
            self._known[reference] = 1  # for itself
            self._known[reference] = self.of(_at(self._root, reference), depth + 1)
        return self._known[reference]

    def _by_kind(self, schema: dict[str, Any], depth: int) -> int:
        kinds = schema.get("type")
        named = kinds if isinstance(kinds, list) else [kinds]
        return max((self._kind(kind, schema, depth) for kind in named), default=1)

    def _kind(self, kind: Any, schema: dict[str, Any], depth: int) -> int:
        if kind == "string":
            pattern = schema.get("pattern")
            return 2 + max(_number(schema.get("minLength")), of_pattern(pattern) if isinstance(pattern, str) else 0)
        if kind == "array":
            return 2 + self._items(schema, depth)
        return 2 + self._properties(schema, depth) if kind == "object" else 1

    def _items(self, schema: dict[str, Any], depth: int) -> int:
        least, first = _number(schema.get("minItems")), schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        more = max(1, least - len(first)) * self.of(schema.get("items"), depth + 1)
        return sum(self.of(item, depth + 1) for item in first) + more

    def _properties(self, schema: dict[str, Any], depth: int) -> int:
        properties = schema.get("properties")
        named = properties.items() if isinstance(properties, dict) else ()
        return sum(
            len(name) + 4 + self.of(one, depth + 1)
            for name, one in (*named, ("", schema.get("additionalProperties")))
        )


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0


def _at(root: Any, reference: str) -> Any:
    """What a reference within the schema points to; None for any other."""
    found = root
    for name in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ("",):
        found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found
