"""Mistral's two forms behind `[TOOL_CALLS]`: a JSON array, or `name[ARGS]{...}` for each call, later models with
`[CALL_ID]` in between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.dialects.dialect import Dialect, Offer, all_called, as_json, called, inexpressible
from linnet.calling.dialects.notation import dump, json_text, load
from linnet.calling.dialects.parsed import Called
from linnet.calling.dialects.source import NotACall, Reading, Source
from linnet.messages import ToolCall

BEGIN, ARGS, ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"
_WORD = re.compile(r"[\w.:/\-]*+")
_NAME = re.compile(r"[\w.:/\-]{1,128}")


@dataclass(frozen=True)
class Mistral(Dialect):
    """`listed`: written as the array of older models. Both are read."""

    listed: bool = True
    openers: tuple[str, ...] = (BEGIN,)

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        try:
            if (yield from source.accept(ARGS)):
                yield from self._nameless(source)
            elif (yield from source.peek()) == "[":
                yield from all_called(load((yield from json_text(source))))
            elif (yield from source.peek()) == "{":
                yield from self._nameless(source)
            else:
                yield from self._named(source)
        except NotACall as why:
            raise NotACall(why.reason, keep="body") from why

    def _named(self, source: Source) -> Reading[None]:
        name = yield from source.run(_WORD)
        yield from source.space()
        identity = ""
        if (yield from source.accept(ID)):
            identity = yield from source.run(_WORD)
        yield from source.accept(ARGS)
        if not _NAME.fullmatch(name) or (yield from source.peek()) != "{":
            raise NotACall("it is neither a list of calls nor a name with arguments")
        yield Called(name, load((yield from json_text(source))), identity)

    def _nameless(self, source: Source) -> Reading[None]:
        """Arguments without a tool: reported as a call of no tool, unless the object itself is a whole call."""
        yield from source.space()
        value = load((yield from json_text(source)))
        if isinstance(value, dict) and "name" in value and len(value.keys() & {"arguments", "parameters"}) == 1:
            yield called(value)
        elif isinstance(value, dict):
            yield Called("", value)
        else:
            raise NotACall("it has no arguments")

    def render(self, calls: Sequence[ToolCall]) -> str:
        if self.listed:
            return f"{BEGIN} [{', '.join(map(as_json, calls))}]"
        return "".join(map(_compact, calls))


def _compact(call: ToolCall) -> str:
    if not _NAME.fullmatch(call.name):
        raise inexpressible(call, "its name is no word")
    return f"{BEGIN}{call.name}{ARGS}{dump(call.arguments)}"
