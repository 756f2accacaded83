"""The common face of all wire shapes, and what a dialect knows of the tools on offer."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from linnet.calling.dialects.notation import load
from linnet.calling.dialects.parsed import Called, Content
from linnet.calling.dialects.source import Marks, NotACall, Reading, Source
from linnet.errors import ToolArgumentsInvalid
from linnet.messages import ToolCall
from linnet.schema import JsonSchema
from linnet.tools import Tool


class Offer:
    """The tools on offer, by name: raw JSON Schemas, in which null and `$ref` still mean something.

    `known` is false where nobody said which tools there are; then every name is as good as another.
    """

    def __init__(self, schemas: Mapping[str, JsonSchema] | None = None) -> None:
        self.schemas = dict(schemas or {})
        self.known = bool(self.schemas)

    @classmethod
    def of(cls, tools: Iterable[Tool | Mapping[str, Any]]) -> Offer:
        """From Tools, or from JSON as `{name, parameters}` or `{function: {name, parameters}}`.

        A tool without a name or with parameters that are no object is left out: it spoils no other.
        """
        return cls(dict(filter(None, map(_named, tools))))

    def schema(self, name: str) -> JsonSchema:
        return self.schemas.get(name, {})

    def properties(self, name: str) -> dict[str, Any]:
        found = self.schema(name).get("properties")
        return found if isinstance(found, dict) else {}

    def missing(self, call: Called) -> list[str]:
        """Required arguments that the call lacks."""
        required = self.schema(call.name).get("required")
        names = required if isinstance(required, list) else []
        return [name for name in names if isinstance(name, str) and name not in call.arguments]


def _named(tool: Tool | Mapping[str, Any]) -> tuple[str, JsonSchema] | None:
    if isinstance(tool, Tool):
        return tool.name, tool.parameters
    if not isinstance(tool, Mapping):
        return None
    inside = tool.get("function")
    inner = inside if isinstance(inside, Mapping) else tool
    name, parameters = inner.get("name"), inner.get("parameters") or inner.get("input_schema") or {}
    return (name, dict(parameters)) if isinstance(name, str) and isinstance(parameters, Mapping) else None


class Dialect(ABC):
    """One wire shape with its markers. Rendering and parsing are each other's inverse.

    `openers` are strings that a call may begin with; `bare` are letters that may begin one without a marker,
    where content begins. `pattern` (see Marks) is a third way, for shapes that begin with an open class.
    """

    openers: tuple[str, ...] = ()
    bare: str = ""
    pattern: tuple[str, str, int] = ("", "", 0)

    def marks(self, others: Iterable[str] = ()) -> Marks:
        return Marks([*self.openers, *others], *self.pattern)

    @abstractmethod
    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        """Reads what follows `mark` (an opener, or "" for a bare call) and yields events; NotACall otherwise."""

    @abstractmethod
    def render(self, calls: Sequence[ToolCall]) -> str:
        """The calls as a model of this dialect writes them. Raises ToolArgumentsInvalid for what has no form."""


# --- JSON objects that are calls -----------------------------------------------------------------

ARGUMENTS = ("arguments", "parameters")


def called(value: Any, *, sure: bool = True, offer: Offer | None = None) -> Called:
    """`{"name", "arguments" or "parameters"}` -> a call; NotACall when it is none.

    Not `sure`: nothing but the object itself says that it is a call, so it has arguments or names a tool.
    """
    if not isinstance(value, dict):
        raise NotACall("it is not an object")
    if isinstance(value.get("function"), dict):
        value = {**value, **value["function"]}
    name = value.get("name", value.get("tool_name", value.get("function")))
    key = next((key for key in ARGUMENTS if key in value), "")
    if not isinstance(name, str) or not name:
        raise NotACall("it names no tool")
    if not (sure or key or (offer and name in offer.schemas)):
        raise NotACall("it has no arguments")
    arguments, repairs = unwrapped(value.get(key))
    identity = value.get("id")
    return Called(name, arguments, identity if isinstance(identity, str) else "", repairs)


def unwrapped(arguments: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Arguments as an object: none become `{}`, a text that holds an object is read; NotACall for the rest."""
    if arguments is None or arguments == "":
        return {}, ()
    if isinstance(arguments, str):
        inner = load(arguments)
        if isinstance(inner, dict):
            return inner, ("arguments: a text that holds an object was read as the object",)
    if not isinstance(arguments, dict):
        raise NotACall("its arguments are not an object")
    return arguments, ()


def all_called(value: Any, *, sure: bool = True, offer: Offer | None = None) -> list[Called]:
    """The calls of one object or of an array of them; NotACall when one is none, or there are none."""
    calls = [called(item, sure=sure, offer=offer) for item in (value if isinstance(value, list) else [value])]
    if not calls:
        raise NotACall("the list of calls is empty")
    return calls


def as_json(call: ToolCall, key: str = "arguments") -> str:
    try:
        return json.dumps({"name": call.name, key: call.arguments}, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise inexpressible(call, str(error)) from error


def inexpressible(call: ToolCall, reason: str) -> ToolArgumentsInvalid:
    return ToolArgumentsInvalid(f"{call.name}: the call has no form in this dialect: {reason}", tool=call.name)


def forbid(call: ToolCall, texts: Iterable[str], *marks: str) -> None:
    """Raises ToolArgumentsInvalid when one of the texts holds a mark that would end it."""
    for text in texts:
        for mark in marks:
            if mark in text:
                raise inexpressible(call, f"a text in it holds {mark!r}")


def close(source: Source, mark: str) -> Reading[tuple[str, ...]]:
    """Consumes the end marker, closing brackets too many before it included; returns the repairs that took."""
    if not mark:
        return ()
    between = yield from source.run(_SURPLUS)
    if (yield from source.accept(mark)):
        return ("closing brackets too many were dropped",) if between.strip() else ()
    if between:
        yield Content(between)
    return (f"the end marker {mark} was missing",)


_SURPLUS = re.compile(r"[\s}\]]*+")


def delivered(call: Called, repairs: tuple[str, ...]) -> Called:
    """The call with further repairs told."""
    return replace(call, repairs=call.repairs + repairs)
