"""Plain tags, as Matt Suiche's article has small models write them: `<tool>f</tool>`, then a tag for each argument.

Nested tags are objects and repeated ones lists, in the types of the schema. Written, lists and objects are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.coerce import forms, typed
from linnet.calling.dialects.dialect import Dialect, Offer, inexpressible
from linnet.calling.dialects.markup import CDATA, CDATA_END, escaped, extract, unescaped
from linnet.calling.dialects.notation import dump
from linnet.calling.dialects.parsed import Called, Content
from linnet.calling.dialects.source import Marks, NotACall, Reading, Source, marks
from linnet.messages import ToolCall
from linnet.schema import JsonSchema

_TAG = re.compile(r"<([A-Za-z_][\w.\-]{0,127})>")
_PARTIAL = re.compile(r"<(?:[A-Za-z_][\w.\-]{0,127})?")
_LETTERS = re.compile(r"[\w.:/\-\s]*+")
_NAME = re.compile(r"[\w.:/\-]{1,128}")
_ENDS = Marks((CDATA,), r"</[A-Za-z_][\w.\-]{0,127}>", r"<(?:/(?:[A-Za-z_][\w.\-]{0,127})?)?", 131)
_KEY = re.compile(r"[A-Za-z_][\w.\-]{0,127}")


@dataclass(frozen=True)
class Xml(Dialect):
    openers: tuple[str, ...] = ("<tool>",)

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        name = (yield from source.run(_LETTERS)).strip()
        if not _NAME.fullmatch(name) or not (yield from source.accept("</tool>")):
            raise NotACall("it names no tool")
        found: dict[str, list[str]] = {}
        repairs: list[str] = []
        while True:
            space = yield from source.space()
            tag = yield from source.token(_TAG, _PARTIAL)
            if tag is None or tag[0] in self.openers:
                source.give_back(tag[0] if tag else "")
                yield Called(name, self._typed(found, name, offer), repairs=tuple(repairs))
                if space:
                    yield Content(space)
                return
            text, closed = yield from self._text(source, f"</{tag[1]}>")
            if not closed:
                repairs.append(f"the end tag </{tag[1]}> was missing")
            found.setdefault(tag[1], []).append(text)

    def _text(self, source: Source, end: str) -> Reading[tuple[str, str]]:
        parts: list[str] = []
        while True:
            text, closed = yield from source.until(_ENDS)
            parts.append(text)
            if closed in (end, ""):
                return "".join(parts), closed
            parts.append(closed)
            if closed == CDATA:
                parts += yield from source.until(marks(CDATA_END))

    def _typed(self, found: dict[str, list[str]], name: str, offer: Offer) -> dict[str, Any]:
        known, root = offer.properties(name), offer.schema(name)
        values = {key: [_value(text, known.get(key, {}), root) for text in texts] for key, texts in found.items()}
        return {k: typed(v[0] if len(v) == 1 else v, known.get(k, {}), root) for k, v in values.items()}

    def render(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(map(_written, calls))


def _value(text: str, schema: Any, root: JsonSchema) -> Any:
    """A text, or what its tags hold where the schema does not say that it is a text."""
    is_text = text.strip().startswith(CDATA) or any(form["type"] == "string" for form in forms(schema, root))
    return unescaped(text) if is_text else extract(text) or unescaped(text)


def _written(call: ToolCall) -> str:
    wrong = [key for key in call.arguments if not _KEY.fullmatch(key) or key == "tool"]
    if wrong or not _NAME.fullmatch(call.name):
        raise inexpressible(call, f"{(wrong or [call.name])[0]!r} is no tag")
    lines = [f"<tool>{call.name}</tool>"]
    for key, value in call.arguments.items():
        text = escaped(value if isinstance(value, str) else dump(value))
        lines.append(f"<{key}>{text}</{key}>")
    return "\n".join(lines)
