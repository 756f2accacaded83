"""gpt-oss: messages with a header, `<|start|>assistant<|channel|>commentary to=functions.f<|message|>{...}<|call|>`.

A message with a recipient is a call; in the channel `analysis` it is thinking; everything else is content. The
prompt ends in the middle of a header, so the text may begin with ` to=` or with a channel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.dialects.dialect import Dialect, Offer, inexpressible, unwrapped
from linnet.calling.dialects.notation import dump, json_text, load
from linnet.calling.dialects.parsed import Called, Content, Reasoning
from linnet.calling.dialects.source import NotACall, Reading, Source, marks
from linnet.messages import ToolCall

START, CHANNEL, CONSTRAIN, MESSAGE = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"
CALL, END, RETURN = "<|call|>", "<|end|>", "<|return|>"
_HEADER = re.compile(r"[\w\s=.:/\-]*+")
_RECIPIENT = re.compile(r"\bto=(?:functions\.)?([\w.:/\-]+)")
_NAME = re.compile(r"[\w.:/\-]+")


@dataclass(frozen=True)
class Harmony(Dialect):
    openers: tuple[str, ...] = (START, CHANNEL, MESSAGE)
    bare: str = "t"

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        if not mark and not (yield from source.accept("to=")):
            raise NotACall("it is no header")
        header = yield from self._header(source, mark or "to=")
        recipient = _RECIPIENT.search(header)
        if recipient:
            yield from self._call(source, recipient[1])
        else:
            yield from self._said(source, header)

    def _header(self, source: Source, header: str) -> Reading[str]:
        while not header.endswith(MESSAGE):
            header += yield from source.run(_HEADER)
            found = yield from source.accept(MESSAGE, CHANNEL, CONSTRAIN, START)
            if not found:
                raise NotACall("the header has no end", "nothing" if source.done else "all")
            header = found if found == START else header + found
        return header

    def _said(self, source: Source, header: str) -> Reading[None]:
        """A message without a recipient, released as it comes; another one may begin without its end."""
        kind = Reasoning if header.rpartition(CHANNEL)[2].lstrip().startswith("analysis") else Content
        fuse, source.fuse = source.fuse, float("inf")
        found = ""
        while not found and not source.done:
            text, found = yield from source.some(marks(END, CALL, RETURN, START))
            if found == START:
                source.give_back(found)
            if text:
                yield kind(text)
        source.fuse = fuse

    def _call(self, source: Source, name: str) -> Reading[None]:
        space = yield from source.space()
        if (yield from source.peek()) != "{":
            text, _ = yield from source.until(marks(END, CALL, RETURN))
            raise NotACall(f"the arguments of {name} are no object: {(space + text)[:60]!r}")
        arguments, repairs = unwrapped(load((yield from json_text(source))))
        yield from source.space()
        if not (yield from source.accept(CALL, END, RETURN)):
            repairs = (*repairs, f"the end marker {CALL} was missing")
        yield Called(name, arguments, repairs=repairs)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "".join(map(_written, calls))


def _written(call: ToolCall) -> str:
    if not _NAME.fullmatch(call.name) or call.name.startswith("functions."):
        raise inexpressible(call, "its name is no recipient")
    header = f"{START}assistant{CHANNEL}commentary to=functions.{call.name} {CONSTRAIN}json"
    return f"{header}{MESSAGE}{dump(call.arguments)}{CALL}"
