"""JSON with no marker of its own, where content begins: Llama 3, xLAM, Hammer, and a forced tool choice.

An object, an array, or objects with `;` between them. `openers` are markers that may stand before it, each
with its end marker, or "" for none. In the middle of prose JSON is no call: that is salvage's to guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from linnet.calling.dialects.dialect import Dialect, Offer, all_called, as_json, close, delivered
from linnet.calling.dialects.notation import json_text, load
from linnet.calling.dialects.parsed import Called, Content
from linnet.calling.dialects.source import Reading, Source
from linnet.messages import ToolCall

_BETWEEN = re.compile(r"[\s;,]*+")


@dataclass(frozen=True)
class Bare(Dialect):
    """`key` names the arguments where calls are written, `listed` whether as one array, `forced` the one tool
    whose arguments the whole object is, when the caller allowed no other."""

    wrappers: tuple[tuple[str, str], ...] = ()
    key: str = "arguments"
    listed: bool = False
    forced: str = ""
    bare: str = "{["
    openers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "openers", tuple(begin for begin, _ in self.wrappers))

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        end = dict(self.wrappers).get(mark, "")
        calls = self._calls((yield from json_text(source)), bool(mark), offer)
        repairs = yield from close(source, end)
        for call in calls:
            yield delivered(call, repairs)
        if not end:
            yield from self._others(source, bool(mark), offer)

    def _others(self, source: Source, sure: bool, offer: Offer) -> Reading[None]:
        while True:
            between = yield from source.run(_BETWEEN)
            if not set(between) & set(";,\n") or (yield from source.peek()) != "{":
                yield Content(between)
                return
            yield from self._calls((yield from json_text(source)), sure, offer)

    def _calls(self, text: str, sure: bool, offer: Offer) -> list[Called]:
        value = load(text)
        if self.forced and isinstance(value, dict) and not value.keys() >= {"name", self.key}:
            return [Called(self.forced, value)]
        return all_called(value, sure=sure or isinstance(value, list), offer=offer)

    def render(self, calls: Sequence[ToolCall]) -> str:
        texts = [as_json(call, self.key) for call in calls]
        return f"[{', '.join(texts)}]" if self.listed else "; ".join(texts)
