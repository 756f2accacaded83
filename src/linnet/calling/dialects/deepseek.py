"""DeepSeek: all calls in one frame of its own letters, each `function`, separator, name and fenced JSON (V3, R1
and its distills), or name, separator and JSON (V3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.dialects.dialect import Dialect, Offer, close, inexpressible, unwrapped
from linnet.calling.dialects.notation import dump, json_text, load
from linnet.calling.dialects.parsed import Called
from linnet.calling.dialects.source import NotACall, Reading, Source, marks
from linnet.messages import ToolCall

ALL, ALL_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
ONE, ONE_END, BETWEEN = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"
FENCE, FENCE_END = "```json", "```"


@dataclass(frozen=True)
class Deepseek(Dialect):
    """`fenced`: written as V3 does. Both are read."""

    fenced: bool = True
    openers: tuple[str, ...] = (ALL, ONE)

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        framed = mark == ALL
        if framed:
            yield from source.space()
            if not (yield from source.accept(ONE)):
                raise NotACall("there is no call in the frame")
        yield (yield from self._call(source))
        while framed:
            yield from source.space()
            if not (yield from source.accept(ONE)):
                break
            yield (yield from self._call(source))
        yield from source.accept(ALL_END)

    def _call(self, source: Source) -> Reading[Called]:
        name, found = yield from source.until(marks(BETWEEN, ONE_END, "{"))
        if found != BETWEEN:
            raise NotACall("no separator follows the name")
        yield from source.space()
        fenced = (yield from source.peek()) != "{"
        if fenced:
            name, found = yield from source.until(marks(FENCE, ONE_END))
            if found != FENCE:
                raise NotACall("no arguments follow the name")
            yield from source.space()
        arguments, repairs = unwrapped(load((yield from json_text(source))))
        if fenced:
            repairs += yield from close(source, FENCE_END)
        repairs += yield from close(source, ONE_END)
        if not name.strip():
            raise NotACall("it names no tool")
        return Called(name.strip(), arguments, repairs=repairs)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "".join((ALL, *map(self._written, calls), ALL_END))

    def _written(self, call: ToolCall) -> str:
        if not call.name or call.name != call.name.strip() or set(call.name) & set("<{`"):
            raise inexpressible(call, "its name is no word")
        arguments = dump(call.arguments)
        if self.fenced:
            return f"{ONE}function{BETWEEN}{call.name}\n{FENCE}\n{arguments}\n{FENCE_END}{ONE_END}"
        return f"{ONE}{call.name}{BETWEEN}{arguments}{ONE_END}"
