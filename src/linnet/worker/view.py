"""A conversation as hub templates read it: messages, calls, results, tools and options -> Jinja variables.

Every text that is not trusted goes through `put`, which says what the template is shown in its place, so that
whoever renders can hide it. Not texts are: numbers, roles, the words of JSON Schema itself, and identifiers
made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, Literal, NamedTuple, Protocol

from linnet.messages import Message, ToolCall, ToolSpec
from linnet.protocol import Render
from linnet.worker import templates
from linnet.worker.templates import Arguments, Escaped, Listing, Named


class Place(NamedTuple):
    """Where a text stands: in which message, call or tool. The same text in the same place is one text."""

    kind: Literal["content", "reasoning", "call", "id", "name", "tool", "schema", "option"]
    at: int = 0
    part: int = 0


ToolsIn = Literal["tools", "xml_tools", "message"]
"""Where a template looks for tools: nearly always in `tools`; SmolLM3's in `xml_tools`, and Phi-4-mini's in the
system message, as the text of a JSON list of functions."""


class Put(Protocol):
    def __call__(self, place: Place, text: str, key: bool = False) -> str:
        """What the template is shown for a text; `key` if it is one of an object's."""
        ...


def as_it_is(place: Place, text: str, key: bool = False) -> str:
    return text


@dataclass(frozen=True)
class View:
    """One way to show what is to be rendered: `messages` in the place of the record's own, what stands for
    the content of a message that has calls only, whether the answer is opened, whether the last message counts
    as text that is not trusted, whoever wrote it, and where the tools are: in a variable, or in the first
    message."""

    record: Render
    messages: tuple[Message, ...]
    empty: str | None = ""
    opened: bool = True
    hide_last: bool = False
    tools_in: ToolsIn = "tools"

    def text(self, put: Put = as_it_is, escaped: Escaped | None = None) -> str:
        """The template's rendering of it. Raises TemplateFailed."""
        given = sum(len(message.content.encode()) for message in self.messages if message.trusted)

        def weighed(place: Place, text: str, key: bool = False) -> str:
            nonlocal given
            shown = put(place, text, key)
            given += len(shown.encode())
            return shown

        variables = self.variables(weighed)
        return templates.text(self.record.template, variables, given, escaped)

    def variables(self, put: Put) -> dict[str, Any]:
        """What templates find. As in llama.cpp, `tools` and options are undefined where there are none, which
        more templates bear than None; and without a date there is no `strftime_now`."""
        record = self.record
        made = {name: _option(value, put) for name, value in record.options.items()}
        made["messages"] = [self._message(i, message, put) for i, message in enumerate(self.messages)]
        made["add_generation_prompt"] = self.opened
        made["bos_token"], made["eos_token"] = record.bos, record.eos
        tools = [_tool(tool, put, i) for i, tool in enumerate(record.tools)]
        if tools and self.tools_in == "message":
            made["messages"][0]["tools"] = Listing(tool["function"] for tool in tools)
        elif tools:
            made[self.tools_in] = tools
        if record.today:
            made["strftime_now"] = datetime.fromisoformat(record.today).strftime
        return made

    def _message(self, i: int, message: Message, put: Put) -> dict[str, Any]:
        made: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.calls and not message.content:
            made["content"] = self.empty
        elif not message.trusted or (self.hide_last and i == len(self.messages) - 1):
            made["content"] = put(Place("content", i), message.content)
        if message.reasoning:
            made["reasoning_content"] = made["thinking"] = put(Place("reasoning", i), message.reasoning)
        if message.calls:
            made["tool_calls"] = [_call(call, put, Place("call", i, part)) for part, call in enumerate(message.calls)]
        if message.role == "tool":
            made["tool_call_id"] = _id(message.call_id, put)
            made["name"] = put(Place("name", i), message.name)
        return made


def _call(call: ToolCall, put: Put, place: Place) -> dict[str, Any]:
    arguments = Arguments(*_parts(call.arguments, put, place))
    function = {"name": put(place, call.name), "arguments": arguments}
    return {"type": "function", "id": _id(call.id, put), "function": function}


def _tool(tool: ToolSpec, put: Put, i: int) -> dict[str, Any]:
    place = Place("schema", i)
    function = {
        "name": put(Place("tool", i), tool.name),
        "description": put(place, tool.description),
        "parameters": _schema(tool.parameters, put, place),
    }
    return {"type": "function", "function": function}


def _parts(value: dict[str, Any], put: Put, place: Place) -> tuple[dict[str, Any], dict[str, str]]:
    """The parts of an object by key, and what is shown for each key."""
    parts = {key: _json(part, put, place) for key, part in value.items()}
    return parts, {key: put(place, key, True) for key in value}


def _json(value: Any, put: Put, place: Place) -> Any:
    match value:
        case str():
            return put(place, value)
        case dict():
            return Named(*_parts(value, put, place))
        case list() | tuple():
            return [_json(part, put, place) for part in value]
        case _:
            return value


# --- JSON Schema ---------------------------------------------------------------------------------

_SCHEMAS = frozenset({"items", "additionalProperties", "anyOf", "oneOf", "allOf", "not", "prefixItems"})
"""Keywords with a schema, or schemas, inside."""

_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions"})
"""Keywords with schemas by name inside."""

_KEYWORDS = _SCHEMAS | _NAMED | frozenset(
    """type description title default examples enum const format required nullable minimum maximum
    exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern minItems maxItems uniqueItems
    minProperties maxProperties deprecated readOnly writeOnly $ref""".split()
)  # fmt: skip

_WORDS = {
    "type": frozenset({"string", "number", "integer", "boolean", "array", "object", "null"}),
    "format": frozenset({"date-time", "date", "time", "duration", "email", "uri", "uuid", "ipv4", "ipv6"}),
}
"""Words that templates ask for. They are the schema language's own, whoever wrote them."""


def _schema(value: Any, put: Put, place: Place) -> Any:
    if isinstance(value, list | tuple):
        return [_schema(part, put, place) for part in value]
    if not isinstance(value, dict):
        return _json(value, put, place)
    parts = {key: _keyed(key, part, put, place) for key, part in value.items()}
    return Named(parts, {key: key if key in _KEYWORDS else put(place, key, True) for key in value})


def _keyed(key: str, value: Any, put: Put, place: Place) -> Any:
    if key in _NAMED and isinstance(value, dict):
        parts = {name: _schema(part, put, place) for name, part in value.items()}
        return Named(parts, {name: put(place, name, True) for name in value})
    if key in _SCHEMAS:
        return _schema(value, put, place)
    if key in _WORDS:
        words = _WORDS[key]
        if isinstance(value, list | tuple):
            return [_word(word, words, put, place) for word in value]
        return _word(value, words, put, place)
    return _json(value, put, place)


def _word(value: Any, words: frozenset[str], put: Put, place: Place) -> Any:
    return value if isinstance(value, str) and value in words else _json(value, put, place)


# --- options -------------------------------------------------------------------------------------

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,32}")
"""What templates compare: a word that holds no mark of markup, and is shown as it is."""


def _option(value: Any, put: Put) -> Any:
    match value:
        case str():
            return value if _WORD.fullmatch(value) else put(Place("option"), value)
        case dict():
            return {_option(key, put): _option(part, put) for key, part in value.items()}
        case list() | tuple():
            return [_option(part, put) for part in value]
        case _:
            return value


# --- identifiers ---------------------------------------------------------------------------------

_OWN_ID = re.compile(r"call[0-9]{5}")


def _id(id: str, put: Put) -> str:
    return id if _OWN_ID.fullmatch(id) else put(Place("id"), id)


def identified(messages: Sequence[Message], template: str) -> tuple[Message, ...]:
    """The messages with an identifier for each call and each result.

    A call without one gets one of ours: nine letters and digits, as Mistral's templates demand, which get
    nothing else. A result without one belongs to the oldest open call.
    """
    strict = bool(_NINE.search(template))
    taken = {call.id for message in messages for call in message.calls}
    fresh = (id for id in (f"call{i:05}" for i in count(1)) if id not in taken)
    known: dict[str, str] = {}
    waiting: list[ToolCall] = []
    made = []
    for message in messages:
        if message.calls:
            calls = tuple(replace(call, id=_identifier(call.id, strict, known, fresh)) for call in message.calls)
            waiting = list(calls)
            message = replace(message, calls=calls)
        elif message.role == "tool":
            wanted = known.get(message.call_id, message.call_id)
            call = next((call for call in waiting if wanted in ("", call.id)), None)
            waiting = [other for other in waiting if other is not call]
            id = call.id if call else _identifier(message.call_id, strict, known, fresh)
            message = replace(message, call_id=id, name=message.name or (call.name if call else ""))
        made.append(message)
    return tuple(made)


_NINE = re.compile(r"length\s{0,9}!=\s{0,9}9\b")


def _identifier(id: str, strict: bool, known: dict[str, str], fresh: Iterator[str]) -> str:
    if id and not strict:
        return id
    if not id:
        return next(fresh)
    if id not in known:
        known[id] = next(fresh)
    return known[id]
