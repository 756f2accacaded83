"""Calls as Python writes them: `[f(a=1), g()]`, bare (Llama 3.2 and 4, ToolACE) or inside markers (LFM2, OLMo 3,
Gemma 3's `tool_code`). Read as text, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from linnet.calling.dialects.dialect import Dialect, Offer, all_called, close, delivered, inexpressible
from linnet.calling.dialects.notation import dump_python, json_text, load, load_python, python_text
from linnet.calling.dialects.parsed import Called
from linnet.calling.dialects.source import NotACall, Reading, Source
from linnet.messages import ToolCall

NAME = r"[A-Za-z_][\w.\-]{0,127}"
_LIST = (rf"\[[ \n]{{0,8}}{NAME}\(", rf"\[[ \n]{{0,8}}(?:{NAME})?", 160)
_HEAD = re.compile(r"[\w.\-]*+")
_BETWEEN = re.compile(r"[\s,;]*+")
_KEYWORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Pythonic(Dialect):
    """Without `begin` a list of calls may stand anywhere in content. `listed` is whether brackets are written."""

    begin: str = ""
    end: str = ""
    listed: bool = True
    also: tuple[str, ...] = ()
    after: str = ""
    """What may follow a call and is no content."""
    openers: tuple[str, ...] = field(init=False)
    pattern: tuple[str, str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "openers", (*([self.begin] if self.begin else []), *self.also))
        object.__setattr__(self, "pattern", ("", "", 0) if self.begin else _LIST)

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        if mark.startswith("[") and mark not in self.openers:
            yield from _calls((yield from python_text(source, mark)))
            yield from self._after(source)
            return
        yield from source.space()
        calls = yield from self._marked(source)
        repairs = yield from close(source, self.end)
        for call in calls:
            yield delivered(call, repairs)
        yield from self._after(source)

    def _after(self, source: Source) -> Reading[None]:
        if self.after:
            yield from source.accept(self.after)

    def _marked(self, source: Source) -> Reading[list[Called]]:
        """The calls between two markers: a list, or one call after the other, or JSON."""
        first = yield from source.peek(1)
        if first == "{":
            return all_called(load((yield from json_text(source))))
        if first == "[":
            return _calls((yield from python_text(source)))
        found: list[Called] = []
        while (yield from source.peek(1)) not in ("", "<", "`"):
            name = yield from source.run(_HEAD)
            if (yield from source.peek(1)) != "(" or not name:
                raise NotACall("it is no call")
            found += _calls(f"[{name}{(yield from python_text(source))}]")
            yield from source.run(_BETWEEN)
        if not found:
            raise NotACall("there is no call in it")
        return found

    def render(self, calls: Sequence[ToolCall]) -> str:
        texts = [_written(call) for call in calls]
        body = f"[{', '.join(texts)}]" if self.listed else "\n".join(texts)
        return f"{self.begin}{body}{self.end}"


def _calls(text: str) -> list[Called]:
    return all_called(load_python(text))


def _written(call: ToolCall) -> str:
    wrong = [name for name in call.arguments if not _KEYWORD.fullmatch(name)]
    if wrong or not re.fullmatch(NAME, call.name):
        raise inexpressible(call, f"{(wrong or [call.name])[0]!r} is no Python name")
    return f"{call.name}({', '.join(f'{name}={dump_python(value)}' for name, value in call.arguments.items())})"
