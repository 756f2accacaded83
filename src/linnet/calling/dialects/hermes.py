"""A marker, a JSON object, an end marker, one such block for each call.

`<tool_call>{"name": "f", "arguments": {}}</tool_call>`: Hermes, Qwen2.5 and 3, SmolLM3, Granite 4, and others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from linnet.calling.dialects.dialect import Dialect, Offer, all_called, as_json, close, delivered
from linnet.calling.dialects.notation import json_text, load
from linnet.calling.dialects.source import Reading, Source
from linnet.messages import ToolCall


@dataclass(frozen=True)
class Hermes(Dialect):
    """`end` is "" where a family writes none."""

    begin: str = "<tool_call>"
    end: str = "</tool_call>"
    openers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "openers", (self.begin,))

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        calls = all_called(load((yield from json_text(source))))
        repairs = yield from close(source, self.end)
        for call in calls:
            yield delivered(call, repairs)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(f"{self.begin}\n{as_json(call)}\n{self.end}".rstrip("\n") for call in calls)
