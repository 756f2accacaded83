"""Gemma's own notation: `call:f{k:<|"|>text<|"|>,n:1}` between markers, strings between a marker of their own.

Gemma 4 (`<|tool_call>` ... `<tool_call|>`) and FunctionGemma (`<start_function_call>`, `<escape>`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from linnet.calling.coerce import forms
from linnet.calling.dialects.dialect import Dialect, Offer, close, forbid, inexpressible
from linnet.calling.dialects.notation import dump, load
from linnet.calling.dialects.parsed import Called
from linnet.calling.dialects.source import NotACall, Reading, Source, marks
from linnet.limits import LIMITS
from linnet.messages import ToolCall

_NAME = re.compile(r"[\w.\-]*+")
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?")
_CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True)
class Gemma(Dialect):
    begin: str = "<|tool_call>"
    end: str = "<tool_call|>"
    quote: str = '<|"|>'
    openers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "openers", (self.begin,))

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from source.space()
        yield from source.accept("call:", ":")
        name = yield from source.run(_NAME)
        if not name or (yield from source.peek()) != "{":
            raise NotACall("no tool and arguments follow the marker")
        body, repairs = yield from self._body(source)
        arguments = {k: _declared(v, k, name, offer) for k, v in load(self._json(body)).items()}
        yield Called(name, arguments, repairs=repairs + (yield from close(source, self.end)))

    def _body(self, source: Source) -> Reading[tuple[str, tuple[str, ...]]]:
        """The text of the object that opens here; closed in words where the end of the text cut it off."""
        scan, parts = _Braces(self.quote), []
        while True:
            parts.append(source.take(scan.advance(source.text, source.at, source.ended)))
            if scan.whole:
                return "".join(parts), ()
            if source.ended:
                return _uncut("".join(parts), (self.end, self.quote)) + scan.closing, ("it was cut off, and closed",)
            yield None

    def _json(self, body: str) -> str:
        quote = re.escape(self.quote)
        token = re.compile(
            rf"{quote}(.*?){quote}|([^\s{{}}\[\],:][^{{}}\[\],:]*+)|(?<![\[{{,\s]),(?=\s*+[\]}}])", re.DOTALL
        )
        return token.sub(lambda found: _rewritten(found, body), body)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "".join(f"{self.begin}{self._written(call)}{self.end}" for call in calls)

    def _written(self, call: ToolCall) -> str:
        if not call.name or not _NAME.fullmatch(call.name):
            raise inexpressible(call, "its name is no word")
        return f"call:{call.name}{self._value(call, call.arguments)}"

    def _value(self, call: ToolCall, value: Any) -> str:
        if isinstance(value, dict):
            return f"{{{','.join(f'{self._key(call, k)}:{self._value(call, v)}' for k, v in value.items())}}}"
        if isinstance(value, list | tuple):
            return f"[{','.join(self._value(call, item) for item in value)}]"
        return self._text(call, value) if isinstance(value, str) else dump(value)

    def _key(self, call: ToolCall, key: str) -> str:
        return key if key and _NAME.fullmatch(key) else self._text(call, key)

    def _text(self, call: ToolCall, text: str) -> str:
        forbid(call, (text,), self.quote)
        if text.endswith("<"):
            raise inexpressible(call, "a text in it ends like the quote that follows")
        return f"{self.quote}{text}{self.quote}"


class _Braces:
    """Where braces and brackets end, quoted text apart."""

    def __init__(self, quote: str) -> None:
        self.quote, self.open, self.quoted, self.whole = quote, [""][:0], False, False
        self.all, self.end = marks(quote, "{", "}", "[", "]"), marks(quote)

    def advance(self, text: str, at: int, ended: bool) -> int:
        """Up to where the text may be consumed."""
        while not self.whole:
            looking = self.end if self.quoted else self.all
            found = looking.find.search(text, at)
            if not found:
                return len(text) if ended else looking.safe(text, at)
            self._step(found[0])
            at = found.end()
        return at

    def _step(self, mark: str) -> None:
        if mark == self.quote:
            self.quoted = not self.quoted
        elif mark in _CLOSING:
            self.open.append(_CLOSING[mark])
            if len(self.open) > LIMITS.schema_depth + 2:
                raise NotACall(f"it nests deeper than {LIMITS.schema_depth} levels")
        elif self.open.pop() != mark:
            raise NotACall(f"{mark!r} cannot stand there")
        else:
            self.whole = not self.open

    @property
    def closing(self) -> str:
        return (self.quote if self.quoted else "") + "".join(reversed(self.open))


def _uncut(text: str, tags: tuple[str, ...]) -> str:
    """The text without the beginning of a marker that the end of the text cut off."""
    sizes = [n for tag in tags for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])]
    return text[: len(text) - max(sizes, default=0)]


def _rewritten(found: re.Match[str], body: str) -> str:
    if found[1] is not None:
        return dump(found[1])
    if found[2] is None:
        return ""
    bare = found[2].strip()
    is_key = body[found.end() : found.end() + 1] == ":"
    return bare if not is_key and (_LITERAL.fullmatch(bare) or _is_text(bare)) else dump(bare)


def _declared(value: Any, key: str, name: str, offer: Offer) -> Any:
    """A bare word as the text that it is, where the schema allows nothing else."""
    kinds = {form["type"] for form in forms(offer.properties(name).get(key, {}), offer.schema(name))}
    return dump(value) if kinds == {"string"} and not isinstance(value, str | dict | list) else value


def _is_text(text: str) -> bool:
    """Whether it is a string as JSON writes it."""
    return len(text) > 1 and text[0] == text[-1] == '"' and "\\" not in text and '"' not in text[1:-1]
