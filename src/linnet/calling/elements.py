"""Values out of tags in free text, by a schema: `Elements.of(text, schema).values`.

`Here: <stop><city>Oslo</city><days>2</days></stop><stop><city>Rome</stop>`, where the schema has `stop` as an
array of such objects, is `{"stop": [{"city": "Oslo", "days": 2}, {"city": "Rome"}]}`. Only tags that the schema
names count: others, as `<answer>` around it all, are looked through. What was put right, and what does not fit
(`stop[1].days` is missing), is told.

A text keeps tags that stand in it; a list is a repeated tag, one tag around items, or JSON; attributes count as
members of an object. An element without an end tag ends where an outer one ends, or the next known one begins.
Not covered: namespaces, DTDs and their entities; a text is not checked for being well-formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from linnet.calling.coerce import forms, from_tag, typed
from linnet.calling.dialects.markup import CDATA, CDATA_END, Tag, extract, framed, tags, unescaped
from linnet.errors import RequestTooLarge
from linnet.limits import LIMITS
from linnet.schema import JsonSchema, Problem, plain, problems

Names = frozenset[str]


@dataclass(frozen=True)
class Elements:
    """`values` fit the schema where `problems` is empty; `repairs` say what was not as it should have been."""

    values: dict[str, Any]
    repairs: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, text: str, schema: Mapping[str, Any]) -> Elements:
        """The elements of `text` that this object schema (of any dialect) names.

        Raises RequestTooLarge over `LIMITS.parse_chars`, ToolInvalid for a schema that has no meaning.
        """
        if len(text) > LIMITS.parse_chars:
            raise RequestTooLarge(f"the text has {len(text):,} characters, over {LIMITS.parse_chars:,}")
        known = plain(schema, "of elements")
        reader = _Reader(text, known)
        values = reader.members(known, 0, len(reader.tags), frozenset())
        return cls(values, tuple(reader.repairs), tuple(problems(values, known)))


class _Reader:
    """One text on its way to values. A region is a range of tags; the schema bounds how deep regions nest."""

    def __init__(self, text: str, schema: JsonSchema) -> None:
        self.text, self.root = text, schema
        self.repairs: dict[str, None] = {}
        found = list(islice(tags(text), LIMITS.markup_tags + 1))
        self.tags = found[: LIMITS.markup_tags]
        if len(found) > len(self.tags):
            self.repairs[f"only the first {LIMITS.markup_tags:,} tags were read"] = None
        self.ends, self.starts = _pairs(self.tags)

    def members(self, form: JsonSchema, first: int, last: int, outer: Names) -> dict[str, Any]:
        """The values of an object's properties between two tags; `outer` are the names known around it."""
        known = form.get("properties", {})
        found: dict[str, list[Any]] = {}
        place, names = first, outer | known.keys()
        while place < last:
            tag = self.tags[place]
            if tag.closes or tag.name not in known:
                place += 1
                continue
            value, place = self.element(place, known[tag.name], last, names)
            found.setdefault(tag.name, []).append(value)
        return {name: self.joined(name, values, known[name]) for name, values in found.items()}

    def joined(self, name: str, values: list[Any], schema: Any) -> Any:
        """Of a tag that is there several times: one list, or the first where no list is wanted."""
        if _form(schema, self.root, "array") and all(isinstance(value, list) for value in values):
            return [item for value in values for item in value]
        if len(values) > 1:
            self.repairs[f"<{name}> is there {len(values)} times; the first was taken"] = None
        return values[0]

    def element(self, place: int, schema: Any, last: int, outer: Names) -> tuple[Any, int]:
        """The value of the element that begins at `place`, and the place after it."""
        if self.tags[place].empty:
            return self.value(place, place + 1, self.tags[place].end, schema, outer), place + 1
        end = self.ends.get(place, last)
        if end < last:
            return self.value(place, end, self.tags[end].start, schema, outer), end + 1
        end = self.missing_end(place, schema, last, outer)
        self.repairs[f"the end tag </{self.tags[place].name}> was missing"] = None
        stop = self.tags[end].start if end < len(self.tags) else len(self.text)
        return self.value(place, end, stop, schema, outer), end

    def missing_end(self, place: int, schema: Any, last: int, outer: Names) -> int:
        """Where it ends all the same: at the next known element that is not its own, or an outer end tag."""
        inner = _form(schema, self.root, "object").get("properties", {})
        for other in range(place + 1, last):
            tag = self.tags[other]
            outside = self.starts.get(other, place) < place if tag.closes else tag.name in outer
            if outside and (tag.closes or tag.name not in inner):
                return other
        return last

    def value(self, place: int, end: int, stop: int, schema: Any, outer: Names) -> Any:
        """Of the element from the tag at `place` to that at `end`, which the character at `stop` begins."""
        tag, known = self.tags[place], _form(schema, self.root, "object")
        if known.get("properties"):
            found = self.attributes(tag, known) | self.members(known, place + 1, end, outer)
            if found:
                return found
        inside = self.text[tag.end : stop]
        listing, words = _form(schema, self.root, "array"), _form(schema, self.root, "string")
        if listing and not (words and place + 1 == end):
            return self.items(place, end, stop, listing, outer)
        if words:
            return from_tag(self.bare(inside), schema, self.root)
        return typed(extract(inside) or self.bare(inside), schema, self.root)

    def attributes(self, tag: Tag, form: JsonSchema) -> dict[str, Any]:
        known = form["properties"]
        return {k: from_tag(text, known[k], self.root) for k, text in tag.attributes.items() if k in known}

    def items(self, place: int, end: int, stop: int, form: JsonSchema, outer: Names) -> list[Any]:
        """A repeated tag gives one item each time; a tag around items gives them all; JSON is read as it is."""
        schema, tag = form.get("items", {}), self.tags[place]
        own = _form(schema, self.root, "object").get("properties", {}).keys()
        inside = self.text[tag.end : stop]
        first = {other.name for other in self.tags[place + 1 : min(place + 2, end)]}
        if own & (tag.attributes.keys() | first):
            return [self.value(place, end, stop, schema, outer)]
        whole = inside.rstrip().endswith(">") or place + 1 not in self.ends
        if first and whole and inside.lstrip().startswith("<"):
            return self.framed_items(place + 1, end, schema, outer)
        text = self.bare(inside)
        listed = None if first else from_tag(text, form, self.root)
        if isinstance(listed, list):
            return listed
        return [from_tag(text, schema, self.root)] if text.strip() else []

    def framed_items(self, place: int, end: int, schema: Any, outer: Names) -> list[Any]:
        found = []
        while place < end:
            if self.tags[place].closes:
                place += 1
                continue
            value, place = self.element(place, schema, end, outer | {self.tags[place].name})
            found.append(value)
        return found

    def bare(self, inside: str) -> str:
        """The text of an element as it was meant; a frame that was never closed is taken off."""
        text = framed(inside)
        if text.strip().startswith(CDATA) and CDATA_END not in text:
            self.repairs["the end of a CDATA section was missing"] = None
            return text.strip().removeprefix(CDATA)
        return unescaped(text)


def _form(schema: Any, root: JsonSchema, kind: str) -> JsonSchema:
    """What the schema says of values of this kind; `{}` when it allows none."""
    return next((form for form in forms(schema, root) if form["type"] == kind), {})


def _pairs(found: list[Tag]) -> tuple[dict[int, int], dict[int, int]]:
    """The place of each start tag to that of its end tag, the innermost open one of that name, and back."""
    ends: dict[int, int] = {}
    waiting: dict[str, list[int]] = {}
    for place, tag in enumerate(found):
        if tag.closes and waiting.get(tag.name):
            ends[waiting[tag.name].pop()] = place
        elif not tag.closes and not tag.empty:
            waiting.setdefault(tag.name, []).append(place)
    return ends, {end: start for start, end in ends.items()}
