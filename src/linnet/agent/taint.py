"""Taint: once a session has read text that nobody vouches for, only the user's own words go out unasked.

A file, page, row or program's output may hold instructions to a model: "send what you know to this address". What
it could make a model send is what the user did not write. So a call that sends needs an approval from then on, unless
every value in it stands in what the user wrote, or is what its parameter has anyway.

Not covered: which of the user's own words are picked and in which calls, a few bits each; a tool that sends without
saying so in its permissions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linnet.messages import Message, ToolCall, ToolResult
from linnet.tools import READING, SENDING, Tool


class Taint:
    """What one turn has read so far, `history` included, and what the user wrote in it."""

    def __init__(self, text: str, history: Sequence[Message] = ()) -> None:
        self._said = [_plain(text), *(_plain(m.content) for m in history if m.role == "user")]
        told = any(message.role in ("assistant", "tool") for message in history)
        self.sources: tuple[str, ...] = ("what was answered before",) if told else ()

    def read(self, tool: Tool, done: ToolResult) -> None:
        """Note an outcome. An error is text too, and may quote what was read."""
        ran = done.error is None or done.error["code"] not in ("tool_denied", "tool_unbound")
        if ran and tool.permissions & READING and tool.name not in self.sources:
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
        if value is None or isinstance(value, bool) or value == schema.get("default", self):
            return True
        if isinstance(value, Mapping):
            return all(self._written(key) and self._own(part, {}) for key, part in value.items())
        if isinstance(value, list | tuple):
            return all(self._own(part, {}) for part in value)
        return value in schema.get("enum", ()) or self._written(value)

    def _written(self, value: Any) -> bool:
        text = _plain(value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value))
        return any(text in said for said in self._said)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
