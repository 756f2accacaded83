"""A marker and one JSON array of all calls: `functools[...]` (Phi-4-mini), `<|tool_call|>[...]` (Granite 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.dialects.dialect import Dialect, Offer, all_called, as_json
from linnet.calling.dialects.notation import json_text, load
from linnet.calling.dialects.source import NotACall, Reading, Source
from linnet.messages import ToolCall


@dataclass(frozen=True)
class Array(Dialect):
    """The first opener is the one that is written."""

    openers: tuple[str, ...]

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        if (yield from source.peek()) != "[":
            raise NotACall("no list of calls follows the marker")
        yield from all_called(load((yield from json_text(source))))

    def render(self, calls: Sequence[ToolCall]) -> str:
        return f"{self.openers[0]}[{', '.join(map(as_json, calls))}]"
