"""Calls as the JSON that a model writes under a grammar: which of it the grammar forces, and which the model decides.

A list of calls, spaced as `json.dumps` does, with the arguments in their schema's order. Forced is what nothing else
could stand in place of, such as the names of required arguments. Free are whether one more call comes, the letters
by which a name or an option is told from others, which optional argument is next, and values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from linnet.evals.training.lesson import Piece
from linnet.messages import ToolCall
from linnet.tools import Tool


def written(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> tuple[Piece, ...]:
    """The answer that holds these calls, of tools that the model is told of, in pieces that alternate."""
    return tuple(_joined(_all(calls, {tool.name: tool for tool in tools})))


def _all(calls: Sequence[ToolCall], tools: dict[str, Tool]) -> Iterator[Piece]:
    yield Piece("[", False)
    for number, call in enumerate(calls):
        if number:
            yield Piece(", ")
        yield Piece("{", not number)
        yield Piece('"name": "', False)
        yield from _among(call.name, tools)
        yield Piece(', "arguments": {', False)
        yield from _arguments(call, tools[call.name].parameters)
        yield Piece("}", False)
    yield Piece("]")


def _arguments(call: ToolCall, schema: dict[str, Any]) -> Iterator[Piece]:
    """`"a": 1, "b": 2}`"""
    properties, required = schema["properties"], set(schema["required"])
    left = list(properties)
    given = [name for name in left if name in call.arguments]
    for number, name in enumerate(given):
        may_end = not required.intersection(left)
        if number:
            yield Piece(", ", may_end)
        yield Piece('"', may_end and not number)
        yield from _among(name, _next(left, required))
        yield Piece(": ", False)
        yield from _value(call.arguments[name], properties[name])
        left = left[left.index(name) + 1 :]
    yield Piece("}", bool(left))


def _next(left: Sequence[str], required: set[str]) -> list[str]:
    """The names that may come now: optional ones up to the first that must not be left out."""
    found = []
    for name in left:
        found.append(name)
        if name in required:
            break
    return found


def _value(value: Any, schema: Any) -> Iterator[Piece]:
    options = schema.get("enum") if isinstance(schema, dict) else None
    if options and isinstance(value, str) and all(isinstance(option, str) for option in options):
        yield Piece('"', False)
        yield from _among(value, options)
    else:
        yield Piece(json.dumps(value, ensure_ascii=False))


def _among(text: str, options: Iterable[str]) -> Iterator[Piece]:
    """One of several texts and the quotation mark behind it: free is a letter where some other could still stand."""
    others = [f'{_escaped(option)}"' for option in options]
    whole = f'{_escaped(text)}"'
    for place, letter in enumerate(whole):
        could = {other[place] for other in others if other[:place] == whole[:place]}
        yield Piece(letter, len(could | {letter}) > 1)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one."""
    text, free = "", False
    for piece in pieces:
        if text and piece.free != free:
            yield Piece(text, free)
            text = ""
        text, free = text + piece.text, piece.free
    yield Piece(text, free)
