"""Whether calls are right, by the rules of the Berkeley Function Calling Leaderboard's checker (v4).

An expected call is `{name, arguments: {argument: [allowed values]}}`; an empty string among the allowed
values means that the argument may be left out. Expected calls are matched in their order, each with the
first call left that fits it, so the order of the calls does not count.

Types are exact and those of the tool's schema, with the checker's own two allowances: an integer stands for
a float at the top level, and a value may instead have the type of the first allowed one (a list of whole
numbers where the schema wants floats, because the allowed values are whole). Strings are compared without
case, spaces and light punctuation, lists in order, objects one level deep. Null is right only where the
allowed values are null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Call = Mapping[str, Any]
Properties = Mapping[str, Mapping[str, Any]]
"""A tool's parameters: name -> schema, in the type names of JSON Schema or of BFCL."""

_KINDS: dict[str, type] = {
    "integer": int,
    **dict.fromkeys(("number", "float"), float),
    "boolean": bool,
    **dict.fromkeys(("array", "tuple"), list),
    **dict.fromkeys(("object", "dict"), dict),
}
"""The Python type of a value by its schema's; all else, `any` included, the checker takes for a text."""


def judge(calls: Sequence[Call], expected: Sequence[Call], tools: Mapping[str, Properties] | None = None) -> str:
    """An empty string when the calls are right, in any order; otherwise what is wrong, in words.

    `tools` has the parameters of each tool by its name; the types of one that is not there are those of the
    allowed values.
    """
    if len(calls) != len(expected):
        return f"{len(calls)} calls, {len(expected)} expected"
    left = list(calls)
    for want in expected:
        faults = [judge_one(call, want, (tools or {}).get(want["name"])) for call in left]
        if "" not in faults:
            return _closest(faults, left, want)
        del left[faults.index("")]
    return ""


def _closest(faults: Sequence[str], calls: Sequence[Call], want: Call) -> str:
    """What is wrong with a call of the right tool, if there is one."""
    return next((f for f, call in zip(faults, calls, strict=True) if call["name"] == want["name"]), faults[0])


def judge_one(call: Call, want: Call, properties: Properties | None = None) -> str:
    """As `judge`, for one call against one expected."""
    if call["name"] != want["name"]:
        return f"{call['name']} called, {want['name']} expected"
    given, allowed = call["arguments"], want["arguments"]
    for name, value in given.items():
        if name not in allowed or (properties is not None and name not in properties):
            return f"argument {name} was not expected"
        if not fits(value, allowed[name], None if properties is None else properties[name]):
            return f"{name} = {value!r}, expected one of {allowed[name]!r}"
    missing = [name for name, choices in allowed.items() if name not in given and "" not in choices]
    return f"argument {missing[0]} is missing" if missing else ""


def fits(value: Any, allowed: Sequence[Any], schema: Mapping[str, Any] | None = None) -> bool:
    """Whether a value is an allowed one, of the type that the schema names; of theirs without a schema."""
    stated = next((type(choice) for choice in allowed if choice != ""), None)
    kind = stated or str if schema is None else _kind(schema)
    value = float(value) if kind is float and type(value) is int else value
    inner = _inner(kind, schema)
    if type(value) not in (kind, stated) or not _items_fit(value, allowed, inner):
        return False
    if stated not in (None, kind):  # the type of the allowed values stands in for the schema's: equal as they are
        return value in allowed
    if kind is dict:
        return any(_same_object(value, choice) for choice in allowed)
    if kind is list and inner is dict:
        return any(_same_objects(value, choice) for choice in allowed)
    return _standard(value) in [[] if kind is list and choice == "" else _standard(choice) for choice in allowed]


def _kind(schema: Mapping[str, Any]) -> type:
    named = schema.get("type")
    return _KINDS.get(named, str) if isinstance(named, str) else str


def _inner(kind: type, schema: Mapping[str, Any] | None) -> type | None:
    """The type of a list's elements, where its schema says one."""
    items = (schema or {}).get("items")
    return _kind(items) if kind is list and isinstance(items, Mapping) and "type" in items else None


def _items_fit(value: Any, allowed: Sequence[Any], inner: type | None) -> bool:
    """Whether the elements of a list all have the schema's type, or all that of an allowed list's first."""
    if inner is None or not isinstance(value, list):
        return True
    firsts = [type(choice[0]) if choice else None for choice in allowed if isinstance(choice, list)]
    return not firsts or any(all(type(item) in (inner, first) for item in value) for first in firsts)


def _same_object(value: Any, choice: Any) -> bool:
    """Key by key, each among its own allowed values."""
    if not isinstance(value, Mapping) or not isinstance(choice, Mapping) or value.keys() - choice.keys():
        return False
    given = all(_standard(part) in list(map(_standard, _several(choice[key]))) for key, part in value.items())
    return given and all(key in value or "" in _several(allowed) for key, allowed in choice.items())


def _same_objects(value: Sequence[Any], choice: Any) -> bool:
    return isinstance(choice, list) and len(value) == len(choice) and all(map(_same_object, value, choice))


def _several(allowed: Any) -> list[Any]:
    return allowed if isinstance(allowed, list) else [allowed]


def _standard(value: Any) -> Any:
    """A value as it is compared: a text standardised, a list's own texts too, and nothing deeper."""
    if isinstance(value, str):
        return plain(value)
    return [plain(v) if isinstance(v, str) else v for v in value] if isinstance(value, list) else value


def plain(text: str) -> str:
    """A string as the checker compares it."""
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')
