"""GLM: `<tool_call>f`, then pairs of `<arg_key>` and `<arg_value>`, `</tool_call>`. Types come from the schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.coerce import from_tag
from linnet.calling.dialects.dialect import Dialect, Offer, close, forbid, inexpressible
from linnet.calling.dialects.notation import dump
from linnet.calling.dialects.parsed import Called
from linnet.calling.dialects.source import NotACall, Reading, Source, marks
from linnet.messages import ToolCall

BEGIN, END = "<tool_call>", "</tool_call>"
KEY, KEY_END, VALUE, VALUE_END = "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"
_NAME = re.compile(r"[\w.:/\-]*+")


@dataclass(frozen=True)
class Glm(Dialect):
    openers: tuple[str, ...] = (BEGIN,)

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        name = yield from source.run(_NAME)
        if not name:
            raise NotACall("no name follows the marker")
        arguments: dict[str, Any] = {}
        yield from source.space()
        while (yield from source.accept(KEY)):
            key, ended = yield from source.until(marks(KEY_END, BEGIN))
            yield from source.space()
            if ended != KEY_END or not (yield from source.accept(VALUE)):
                raise NotACall(f"the argument {key[:40]} has no value")
            text, ended = yield from source.until(marks(VALUE_END, KEY))
            if ended != VALUE_END:
                raise NotACall(f"the value of {key[:40]} has no end")
            arguments[key.strip()] = from_tag(text, offer.properties(name).get(key.strip(), {}), offer.schema(name))
            yield from source.space()
        repairs = yield from close(source, END)
        if repairs and not arguments:
            raise NotACall("a name is no call")
        yield Called(name, arguments, repairs=repairs)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(map(_written, calls))


def _written(call: ToolCall) -> str:
    if not call.name or not _NAME.fullmatch(call.name):
        raise inexpressible(call, "its name is no word")
    lines = [f"{BEGIN}{call.name}"]
    for key, value in call.arguments.items():
        text = value if isinstance(value, str) else dump(value)
        forbid(call, (key,), KEY_END, BEGIN)
        forbid(call, (text,), VALUE_END, KEY)
        if key != key.strip():
            raise inexpressible(call, f"{key!r} begins or ends with blanks")
        lines.append(f"{KEY}{key}{KEY_END}\n{VALUE}{text}{VALUE_END}")
    return "\n".join((*lines, END))
