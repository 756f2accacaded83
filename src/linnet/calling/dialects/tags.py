"""Tags that name the tool and its arguments, each value as text between two tags.

`<tool_call><function=f><parameter=k>v</parameter></function></tool_call>` (Qwen3-Coder, Qwen3.5, Nemotron 3),
`<function name="f"><param name="k">v</param></function>` (MiniCPM5), `<invoke name="f"><parameter name="k">`.
Values have no types of their own: they come from the schema. End tags may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from linnet.calling.coerce import forms, from_tag
from linnet.calling.dialects.dialect import Dialect, Offer, forbid, inexpressible, unwrapped
from linnet.calling.dialects.markup import CDATA, CDATA_END, escaped, unescaped
from linnet.calling.dialects.notation import dump
from linnet.calling.dialects.parsed import Called, Failed
from linnet.calling.dialects.source import NotACall, Reading, Source, marks
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.schema import JsonSchema

_NAME = re.compile(r"[^<>\"'=\s]*+")
_WRAPPED = ("arguments", "parameters", "properties")


@dataclass(frozen=True)
class Tags(Dialect):
    """`outer` frames each call, or all of them (`shared`); it may be left out. `function` and `parameter` are
    what stands before and after a name in their tags. `exact`: every end tag is needed, XML's entities and
    CDATA are read, and a value has no line ends around it that do not belong to it."""

    outer: tuple[str, str] = ("<tool_call>", "</tool_call>")
    function: tuple[str, str] = ("<function=", ">")
    parameter: tuple[str, str] = ("<parameter=", ">")
    ends: tuple[str, str] = ("</function>", "</parameter>")
    exact: bool = False
    shared: bool = False
    openers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        framed = (self.outer[0],) if self.outer[0] else ()
        object.__setattr__(self, "openers", (*framed, self.function[0]))

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        if mark == self.function[0]:
            yield (yield from self._call(source, offer, framed=False))
            return
        yield from source.space()
        if not (yield from source.accept(self.function[0])):
            yield from self._rubbish(source, mark)
            return
        yield (yield from self._call(source, offer, framed=not self.shared))
        while self.shared:
            yield from source.space()
            if not (yield from source.accept(self.function[0])):
                yield from source.accept(self.outer[1])
                return
            yield (yield from self._call(source, offer, framed=False))

    def _rubbish(self, source: Source, mark: str) -> Reading[None]:
        """A frame with no call in it is dropped when it is closed, or cut off before anything was said in it."""
        text, ended = yield from source.until(marks(self.outer[1]))
        if not ended and text.strip() and not self.function[0].startswith(text.strip()):
            raise NotACall("there is no call in the frame")
        yield Failed("there is no call in the frame, which was dropped", f"{mark}{text}{ended}")

    def _call(self, source: Source, offer: Offer, *, framed: bool) -> Reading[Called]:
        name = yield from self._name(source, self.function[1])
        reading = _Arguments(self, name, offer)
        yield from reading.run(source)
        if framed and not reading.closed:
            yield from source.space()
            if not (yield from source.accept(self.outer[1])):
                reading.repairs.append(f"the end tag {self.outer[1]} was missing")
        return reading.call()

    def _name(self, source: Source, end: str) -> Reading[str]:
        name = yield from source.run(_NAME)
        if not name or not (yield from source.accept(end)):
            raise NotACall("a tag has no name, or is not closed")
        return name

    def render(self, calls: Sequence[ToolCall]) -> str:
        texts = [self._written(call) for call in calls]
        if self.shared:
            return "\n".join((self.outer[0], *texts, self.outer[1]))
        return "\n".join("\n".join(filter(None, (self.outer[0], text, self.outer[1]))) for text in texts)

    def _written(self, call: ToolCall) -> str:
        for name in (call.name, *call.arguments):
            if not name or not _NAME.fullmatch(name):
                raise inexpressible(call, f"{name!r} cannot stand in a tag")
        lines = [f"{self.function[0]}{call.name}{self.function[1]}"]
        for name, value in call.arguments.items():
            text = value if isinstance(value, str) else dump(value)
            if self.exact:
                text = escaped(text)
            else:
                forbid(call, (text,), self.ends[1], self.ends[0], self.parameter[0])
                text = f"\n{text}\n"
            lines.append(f"{self.parameter[0]}{name}{self.parameter[1]}{text}{self.ends[1]}")
        return "\n".join((*lines, self.ends[0]))


class _Arguments:
    """The parameters of one call, until its end tag."""

    def __init__(self, shape: Tags, name: str, offer: Offer) -> None:
        self.shape, self.name, self.offer = shape, name, offer
        self.root = offer.schema(name)
        self.arguments: dict[str, Any] = {}
        self.repairs: list[str] = []
        self.closed = False
        """Whether the end of the frame was read as well."""

    def run(self, source: Source) -> Reading[None]:
        between = marks(self.shape.parameter[0], self.shape.ends[0], *filter(None, self.shape.outer))
        mark = ""
        for _ in range(LIMITS.schema_nodes + 1):
            if not mark:
                stray, mark = yield from source.until(between)
                if (stray if mark else _without_cut(stray, self.shape.ends[0])).strip():
                    raise NotACall("there is text between the tags of a call")
            if mark != self.shape.parameter[0]:
                break
            mark = yield from self._parameter(source)
        else:
            raise NotACall(f"it has more than {LIMITS.schema_nodes} arguments")
        self.closed = bool(mark) and mark == self.shape.outer[1]
        if mark != self.shape.ends[0]:
            self._missing(self.shape.ends[0])

    def _parameter(self, source: Source) -> Reading[str]:
        """One parameter; returns the mark that ended it, if another than its own end tag."""
        name = yield from self.shape._name(source, self.shape.parameter[1])
        schema = self.offer.properties(self.name).get(name, {})
        if name in self.arguments and self.shape.exact:
            raise NotACall(f"the argument {name} is there twice")
        text, mark = yield from self._text(source)
        if not text.strip() and mark == self.shape.parameter[0] and _is_object(schema, self.root):
            self.arguments[name], mark = yield from self._nested(source, schema)
            return mark
        self.arguments[name] = self._value(text, schema)
        if mark == self.shape.ends[1]:
            return ""
        self._missing(self.shape.ends[1])
        return mark

    def _text(self, source: Source) -> Reading[tuple[str, str]]:
        shape = self.shape
        if not shape.exact:
            text, mark = yield from source.until(marks(shape.ends[1], shape.parameter[0], shape.ends[0]))
            return (text if mark else _without_cut(text, *shape.ends)), mark
        space = yield from source.space()
        if not (yield from source.accept(CDATA)):
            text, mark = yield from source.until(marks(shape.ends[1]))
            return space + text, mark
        parts = []
        while True:
            text, _ = yield from source.until(marks(CDATA_END))
            parts.append(CDATA + text + CDATA_END)
            if not (yield from source.accept(CDATA)):
                rest, mark = yield from source.until(marks(shape.ends[1]))
                return "".join(parts) + rest, mark

    def _nested(self, source: Source, schema: Any) -> Reading[tuple[dict[str, Any], str]]:
        """Parameters inside a parameter that the schema says is an object; one level deep."""
        found: dict[str, Any] = {}
        form = next(form for form in forms(schema, self.root) if form["type"] == "object")
        mark = self.shape.parameter[0]
        while mark == self.shape.parameter[0]:
            name = yield from self.shape._name(source, self.shape.parameter[1])
            text, mark = yield from self._text(source)
            found[name] = self._value(text, (form.get("properties") or {}).get(name, {}))
            if mark == self.shape.ends[1]:
                _, mark = yield from source.until(marks(self.shape.parameter[0], *self.shape.ends))
        return found, mark if mark == self.shape.ends[0] else ""

    def _value(self, text: str, schema: Any) -> Any:
        framed = unescaped(text) if self.shape.exact else text.removeprefix("\n").removesuffix("\n")
        return from_tag(framed, schema, self.root)

    def _missing(self, tag: str) -> None:
        if self.shape.exact:
            raise NotACall(f"the end tag {tag} is missing")
        self.repairs.append(f"the end tag {tag} was missing")

    def call(self) -> Called:
        known = self.offer.properties(self.name)
        wrapped = [name for name in self.arguments if name in _WRAPPED and name not in known]
        if len(self.arguments) == 1 and wrapped and known:
            arguments, _ = _inner(self.arguments[wrapped[0]])
            if arguments is not None:
                self.arguments = arguments
                self.repairs.append(f"the object in {wrapped[0]} was read as the arguments")
        return Called(self.name, self.arguments, repairs=tuple(self.repairs))


def _inner(value: Any) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    try:
        return unwrapped(value)
    except NotACall:
        return None, ()


def _is_object(schema: Any, root: JsonSchema) -> bool:
    return any(form["type"] == "object" for form in forms(schema, root))


def _without_cut(text: str, *tags: str) -> str:
    """The text without the beginning of an end tag that the end of the text cut off."""
    sizes = [size for tag in tags for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])]
    return text[: len(text) - max(sizes, default=0)]
