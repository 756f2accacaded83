"""Calls out of free text, strategy by strategy: for models that say what they want in no notation, or in a fence.

Code block, native notation, XML, JSON anywhere, keywords: the first that finds something is taken and named.
Unless a call is all that the text holds, it is a guess (`guessed`), which nobody runs without the caller's say.
After Matt Suiche's article, whose order this is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.coerce import from_tag, typed
from linnet.calling.dialects.dialect import Dialect, Offer, all_called
from linnet.calling.dialects.families import detect, reader
from linnet.calling.dialects.markup import extract
from linnet.calling.dialects.notation import closed_json, json_text, literal, load, load_python
from linnet.calling.dialects.parsed import Called, Failed
from linnet.calling.dialects.parser import Reader
from linnet.calling.dialects.source import NotACall, Reading, Source
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.tools import Tool


@dataclass(frozen=True)
class Salvaged:
    """What a strategy found. `guessed`: more than the call was in the text, so nobody knows that it was meant."""

    strategy: str
    calls: tuple[ToolCall, ...]
    guessed: bool


Found = tuple[list[Called], bool]
"""Calls, and whether they were all that the text held."""


def salvage(text: str, tools: Sequence[Tool | Mapping[str, Any]] = ()) -> Salvaged | None:
    """The calls that the first successful strategy finds, None when none does. Only tools on offer are guessed."""
    offer = Offer.of(tools)
    for strategy, look in _STRATEGIES.items():
        calls, whole = look(text[: LIMITS.parse_chars], offer)
        calls = [call for call in calls if not offer.known or call.name in offer.schemas]
        if calls:
            found = tuple(ToolCall(c.name, c.arguments, c.id, "native", c.repairs) for c in calls)
            return Salvaged(strategy, found, not whole)
    return None


# --- the strategies ------------------------------------------------------------------------------


def _code_block(text: str, offer: Offer) -> Found:
    blocks, rest = _fenced(text)
    calls = [call for block in blocks for call in _in_block(block, offer)]
    return calls, len(blocks) == 1 and not rest


def _fenced(text: str) -> tuple[list[str], str]:
    """What is in the closed code fences, line by line, and what is outside of them."""
    blocks: list[str] = []
    outside: list[str] = []
    inside: list[str] | None = None
    for line in text.split("\n"):
        if not line.lstrip().startswith("```"):
            (outside if inside is None else inside).append(line)
        elif inside is None:
            inside = []
        else:
            blocks.append("\n".join(inside).strip())
            inside = None
    return blocks[: LIMITS.parse_calls], "\n".join(outside).strip()


def _in_block(text: str, offer: Offer) -> list[Called]:
    """A block that is calls and nothing else."""
    for look in (_native, _xml, _expression):
        calls, whole = look(text, offer)
        if calls and whole:
            return calls
    return []


def _native(text: str, offer: Offer) -> Found:
    name = detect(text)
    if name == "json" and not set(text) & {"{", "["}:
        return [], False
    events = reader(name, offer).events(text)
    calls = [event for event in events if isinstance(event, Called)]
    rest = "".join(getattr(event, "text", "") for event in events if not isinstance(event, Called | Failed))
    return calls, not rest.strip()


def _native_whole(text: str, offer: Offer) -> Found:
    """A dialect's own marks say that a call is meant, wherever it stands."""
    return _native(text, offer)[0], True


_TOOL_KEYS = ("tool", "tool_name", "function", "name")


def _xml(text: str, offer: Offer) -> Found:
    """`<tool>f</tool><k>v</k>` in any order, or `<f><k>v</k></f>` for a known tool."""
    found = extract(text)
    bare = text.strip()
    whole = bare.startswith("<") and bare.endswith(">")
    for inner in (found, *(part for part in found.values() if isinstance(part, dict))):
        key = next((key for key in _TOOL_KEYS if isinstance(inner.get(key), str)), "")
        if key:
            return [_from_tags(inner[key].strip(), {k: v for k, v in inner.items() if k != key}, offer)], whole
    named = [(name, value) for name, value in found.items() if name in offer.schemas]
    return [_from_tags(name, value if isinstance(value, dict) else {}, offer) for name, value in named], whole


def _from_tags(name: str, parts: dict[str, Any], offer: Offer) -> Called:
    known, root = offer.properties(name), offer.schema(name)
    inner = parts.get("arguments", parts.get("parameters"))
    if isinstance(inner, dict) and not known.keys() & {"arguments", "parameters"}:
        parts = inner
    return Called(name, {key: typed(value, known.get(key, {}), root) for key, value in parts.items()})


@dataclass(frozen=True)
class _Anywhere(Dialect):
    """JSON that says that it is a call, at any place."""

    openers: tuple[str, ...] = ("{", "[")

    def read(self, source: Source, mark: str, offer: Offer) -> Reading[None]:
        yield from all_called(load((yield from json_text(source, mark))), sure=False, offer=offer)

    def render(self, calls: Sequence[ToolCall]) -> str:
        return reader("json").dialect.render(calls)


def _json(text: str, offer: Offer) -> Found:
    events = Reader(_Anywhere(), offer).events(text) if "{" in text else []
    calls = [event for event in events if isinstance(event, Called)]
    if not calls:
        cut = [event.text for event in events if isinstance(event, Failed) and event.reason == "it is cut off"]
        calls = [call for piece in cut for call in _closed(piece, offer)]
    return calls, False


def _closed(text: str, offer: Offer) -> list[Called]:
    """The call in a cut-off object whose brackets can be closed."""
    try:
        found = all_called(load(closed_json(text)), sure=False, offer=offer)
    except NotACall:
        return []
    told = "it was cut off, and its brackets were closed"
    return [Called(call.name, call.arguments, call.id, (*call.repairs, told)) for call in found]


# --- keywords ------------------------------------------------------------------------------------

_CALL = re.compile(r"\b([A-Za-z_][\w.\-]{0,127})\(([^()\n]{0,2000})\)")


def _expression(text: str, offer: Offer) -> Found:
    """`f(a=1)` for a known tool, outside of any list."""
    calls: list[Called] = []
    for found in _CALL.finditer(text):
        if found[1] in offer.schemas and len(calls) < LIMITS.parse_calls:
            calls += _evaluated(found[0])
    return calls, bool(calls) and bool(_CALL.fullmatch(text.strip()))


def _evaluated(text: str) -> list[Called]:
    try:
        return all_called(load_python(text))
    except NotACall:
        return []


def _keywords(text: str, offer: Offer) -> Found:
    """A known tool that is named in the text, with `key: value` or `key=value` for its arguments."""
    calls, _ = _expression(text, offer)
    if calls:
        return calls, False
    lowered = text.lower()
    for name in offer.schemas:
        if _says(lowered, name):
            arguments = dict(_pairs(text, name, offer))
            call = Called(name, arguments, repairs=("guessed from keywords",))
            if not offer.missing(call) and (arguments or not offer.properties(name)):
                return [call], False
    return [], False


def _says(lowered: str, name: str) -> bool:
    words = re.sub(r"[\W_]+", " ", name).strip().lower()
    return name.lower() in lowered or (" " in words and words in lowered)


def _pairs(text: str, name: str, offer: Offer) -> Iterator[tuple[str, Any]]:
    root = offer.schema(name)
    for key, schema in offer.properties(name).items():
        spelled = re.escape(key).replace("_", r"[_ ]")
        found = re.search(
            rf"(?<!\w){spelled}[\"'`*]{{0,3}}\s{{0,4}}[:=]\s{{0,4}}([^\n]{{1,500}})", text, re.IGNORECASE
        )
        value = _value(found[1]) if found else ""
        if value:
            yield key, from_tag(value, schema, root)


def _value(text: str) -> str:
    """A value to its closing quote or bracket, else to the next comma or the end of the line; "" when cut off."""
    text = text.strip("*` ")
    if text[:1] in ('"', "'"):
        inside, closed, _ = text[1:].partition(text[0])
        return inside if closed else ""
    if text[:1] in ("[", "{"):
        end = text.rfind({"[": "]", "{": "}"}[text[0]]) + 1
        return text[:end] if literal(text[:end]) is not None else text
    return re.split(r"[,;](?=\s)|\.(?=\s|$)|[)`]", text, maxsplit=1)[0].strip()


_STRATEGIES: dict[str, Callable[[str, Offer], Found]] = {
    "code_block": _code_block,
    "native": _native_whole,
    "xml": _xml,
    "json": _json,
    "keywords": _keywords,
}
