"""A Constraint as JSON Schema for servers that take nothing else, and the value that comes back as text again.

The root is always an object, as some servers demand: what is none is wrapped in one. No server is believed: a value
is held against the constraint before it becomes text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from linnet.errors import RemoteInvalid, RemoteUnsupported, ToolInvalid
from linnet.requests import Choice, Constraint, Copy, Fixed, Hole, Holes, Number, Schema
from linnet.schema import JsonSchema, plain, problems

_KEY = "answer"

Read = Callable[[Any], str]
"""A JSON value -> the text that it stands for; raises RemoteInvalid where the constraint does not allow it."""


@dataclass(frozen=True)
class Shape:
    """What a server is held to, and how its JSON becomes text again. `loose` says what the schema leaves open."""

    schema: JsonSchema
    text: Callable[[Mapping[str, Any]], str]
    captures: Callable[[Mapping[str, Any]], dict[str, str]] = field(default=lambda value: {})
    loose: tuple[str, ...] = ()

    def read(self, body: str) -> tuple[str, dict[str, str]]:
        """`(text, captures)` of an answer. Raises RemoteInvalid for one that does not keep to the constraint."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise RemoteInvalid("the server was asked for JSON and did not keep to it", strayed=True) from None
        if not isinstance(value, Mapping):
            raise _strayed("an object", value)
        return self.text(value), self.captures(value)


def shape_of(constraint: Constraint) -> Shape:
    """Raises RemoteUnsupported for what JSON Schema cannot say."""
    if isinstance(constraint, Holes):
        return _holes(constraint)
    if isinstance(constraint, Schema) and _is_object(constraint.schema):
        part = _schema(constraint)
        return Shape(part.schema, part.read)
    part = _part(constraint)
    return Shape(_object({_KEY: part.schema}), lambda value: part.read(value.get(_KEY)), loose=part.loose)


# --- parts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    schema: JsonSchema
    read: Read
    loose: tuple[str, ...] = ()


def _part(constraint: Constraint) -> _Part:
    match constraint:
        case Choice(options):
            return _Part({"type": "string", "enum": list(options)}, lambda value: _among(value, options))
        case Fixed(text):
            return _Part({"type": "string", "enum": [text]}, lambda value: _among(value, (text,)))
        case Number():
            return _number(constraint)
        case Copy():
            loose = ("the server was not held to words of the text; what it copied was checked afterwards",)
            return _Part({"type": "string"}, lambda value: _copied(value, constraint), loose)
        case Schema():
            return _schema(constraint)
        case _:
            raise RemoteUnsupported(
                f"a server takes JSON Schema, which does not say a {constraint.kind} as Linnet means it"
            )


def _schema(constraint: Schema) -> _Part:
    wrapped = {"type": "object", "properties": {_KEY: constraint.schema}, "required": [_KEY]}
    if "$defs" in constraint.schema:
        wrapped["$defs"] = constraint.schema["$defs"]
    try:
        held = plain(wrapped, "the constraint")
    except ToolInvalid as error:
        raise RemoteUnsupported(f"the schema cannot be checked here: {error.message}") from error

    def read(value: Any) -> str:
        wrong = next(problems({_KEY: value}, held), None)
        if wrong is not None:
            told = f"the server's answer does not fit the schema: {wrong[0]} {wrong[1]}"[:300]
            raise RemoteInvalid(told, strayed=True)
        return json.dumps(value)

    return _Part(held["properties"][_KEY], read)


def _number(constraint: Number) -> _Part:
    kind = "integer" if constraint.integer else "number"
    allowed = list(constraint.evidence)
    schema = {"type": kind, "enum": allowed} if allowed else {"type": kind}

    def read(value: Any) -> str:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or (constraint.integer and value != int(value)) or (allowed and value not in allowed):
            raise _strayed("one of the numbers" if allowed else f"a {kind}", value)
        text = json.dumps(int(value) if constraint.integer else value)
        if len(re.findall("[0-9]", text)) > 15 or "n" in text.lower():
            raise _strayed("a number of at most 15 digits", value)
        return text

    return _Part(schema, read)


def _among(value: Any, options: tuple[str, ...]) -> str:
    if value not in options:
        raise _strayed("one of the options", value)
    return str(value)


def _copied(value: Any, constraint: Copy) -> str:
    words = value.split() if isinstance(value, str) else []
    run = r"\s+".join(map(re.escape, words))
    found = re.search(rf"(?<!\w){run}(?!\w)", constraint.of) if 0 < len(words) <= constraint.max_words else None
    if found is None:
        raise _strayed(f"at most {constraint.max_words} words of the text", value)
    return found[0]


def _strayed(wanted: str, value: Any) -> RemoteInvalid:
    return RemoteInvalid(f"the server was asked for {wanted} and said {json.dumps(value)[:60]}", strayed=True)


# --- texts with gaps -----------------------------------------------------------------------------


def _holes(constraint: Holes) -> Shape:
    """An object with a key for each gap; the fixed text never goes over the line as an answer."""
    holes = [part for part in constraint.parts if isinstance(part, Hole)]
    keys = [f"{n}_{re.sub(r'[^A-Za-z0-9_]', '_', hole.name)[:40]}" for n, hole in enumerate(holes)]
    parts = [_part(hole.constraint) for hole in holes]
    schema = _object({key: part.schema for key, part in zip(keys, parts, strict=True)})

    def filled(value: Mapping[str, Any]) -> list[str]:
        return [part.read(value.get(key)) for key, part in zip(keys, parts, strict=True)]

    def text(value: Mapping[str, Any]) -> str:
        said = iter(filled(value))
        return "".join(part.text if isinstance(part, Fixed) else next(said) for part in constraint.parts)

    def captures(value: Mapping[str, Any]) -> dict[str, str]:
        return dict(zip((hole.name for hole in holes), filled(value), strict=True))

    loose = tuple(dict.fromkeys(note for part in parts for note in part.loose))
    return Shape(schema, text, captures, loose)


def _object(properties: dict[str, JsonSchema]) -> JsonSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _is_object(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" or "properties" in schema
