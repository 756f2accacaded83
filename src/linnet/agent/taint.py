"""Taint: once a session has read text that nobody vouches for, only the user's own words go out unasked.

A file, page, row or program's output may hold instructions to a model: "send what you know to this address". So may
what a server of tools says of its tools, and the names in a database, which are told before anything has run. What it
could make a model send is what the user did not write. So a call that sends needs an approval from then on, unless
every value in it stands in what the user wrote, letter by letter and as whole words, or is what its parameter has
anyway. Of a list, and of an object, all words stand there in their order: its length and order would say something.

Not covered: which of the user's own words are picked and in which calls, a few bits each; a tool that sends without
saying so in its permissions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from linnet.messages import Message, ToolCall
from linnet.tools import READING, SENDING, Permission, Tool

_TELLING = frozenset({Permission.MCP, Permission.READ_DATABASE})
"""Tools whose descriptions a server, or a database's names, have a part in."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?![\w])")


class Taint:
    """What one turn has read so far, `history` and what `tools` say of themselves included, and what the user wrote
    in it."""

    def __init__(self, text: str, history: Sequence[Message] = (), tools: Sequence[Tool] = ()) -> None:
        self._said = [text, *(m.content for m in history if m.role == "user")]
        told = any(message.role in ("assistant", "tool") for message in history)
        self.sources: tuple[str, ...] = ("what was answered before",) if told else ()
        described = any(tool.function is not None and tool.permissions & _TELLING for tool in tools)
        self.sources += ("what a tool says of itself",) if described else ()

    def read(self, tool: Tool) -> None:
        """Note that a tool was run, whatever came of it: an error is text too, and may quote what was read."""
        if tool.function is not None and tool.permissions & READING and tool.name not in self.sources:
            self.sources += (tool.name,)

    def because(self, tool: Tool, call: ToolCall) -> str:
        """Why this call needs an approval of its own, in words; "" if it does not."""
        if not self.sources or not tool.permissions & SENDING:
            return ""
        parameters = tool.parameters["properties"]
        foreign = [name for name, value in call.arguments.items() if not self._own(value, parameters.get(name, {}))]
        if not foreign:
            return ""
        brought = ", ".join(self.sources)
        return f"{', '.join(foreign)} would go out, which the user did not write, and {brought} may hold orders"

    def _own(self, value: Any, schema: Mapping[str, Any]) -> bool:
        if value in (None, "") or isinstance(value, bool) or value == schema.get("default", self):
            return True
        if isinstance(value, Mapping):
            value = [part for pair in value.items() for part in pair]
        if isinstance(value, list | tuple):
            return any(_in_order(value, said) for said in self._said)
        return value in schema.get("enum", ()) or any(_in_order([value], said) for said in self._said)


def _in_order(values: Sequence[Any], said: str) -> bool:
    """Whether the words and numbers of a list stand in a text one behind the other; nothing else in it does."""
    at = 0
    for value in values:
        at = _after(value, said, at)
        if at < 0:
            return False
    return True


def _after(value: Any, said: str, at: int) -> int:
    """Where the first word, or words, like this value end in a text from there on; -1 without one."""
    if isinstance(value, float):
        like = (number.end() for number in _NUMBER.finditer(said, at) if repr(float(number[0])) == repr(value))
        return next(like, -1)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return -1
    word = str(value)
    while word and (at := said.find(word, at)) >= 0:
        end = at + len(word)
        if not (_within(said, at) or _within(said, end)):
            return end
        at += 1
    return -1


def _within(said: str, at: int) -> bool:
    """Whether that place is inside a word."""
    return 0 < at < len(said) and _is_letter(said[at - 1]) and _is_letter(said[at])


def _is_letter(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
