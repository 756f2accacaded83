"""Tags in a text that is no document: what is in them, nested and repeated, in one pass and without a parser.

`<tool>filesystem</tool><path>a</path><path>b</path>` is `{"tool": "filesystem", "path": ["a", "b"]}`.

Hides what counts as a tag. Comments, CDATA sections and processing instructions hold none; one that is never
closed is text. No pattern looks beyond the next `<`, so that the time grows with the text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from linnet.limits import LIMITS

CDATA, CDATA_END = "<![CDATA[", "]]>"
_FRAMES = {"!--": "-->", "![CDATA[": CDATA_END, "?": "?>"}
_NAME = r"[A-Za-z_][\w.\-]{0,127}+"
_VALUE = r"""(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=]++)"""
_MARK = re.compile(
    rf"<(?:(?P<frame>!--|!\[CDATA\[|\?)"
    rf"|(?P<closes>/)?(?P<name>{_NAME})(?P<attributes>(?:\s++{_NAME}(?:\s*+=\s*+{_VALUE})?)*+)\s*+(?P<empty>/)?>)"
)
_ATTRIBUTE = re.compile(rf"({_NAME})\s*+=\s*+({_VALUE})")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
_LETTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_SECTION = re.compile(r"<!\[CDATA\[|<!--")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag and its place. `closes`: an end tag; `empty`: `<a/>`."""

    name: str
    start: int
    end: int
    closes: bool
    empty: bool
    written: str

    @property
    def attributes(self) -> dict[str, str]:
        """Those with a value; the first of a name counts."""
        pairs = ((name, _replaced(value.strip("\"'"))) for name, value in _ATTRIBUTE.findall(self.written))
        return dict(reversed(list(pairs)))


def tags(text: str) -> Iterator[Tag]:
    """Every tag outside comments, CDATA sections and instructions, in order."""
    place = 0
    unclosed: set[str] = set()
    while found := _MARK.search(text, place):
        place, frame = found.end(), found["frame"]
        if not frame:
            closes, empty = bool(found["closes"]), bool(found["empty"])
            yield Tag(found["name"], found.start(), place, closes, empty, found["attributes"])
        elif frame not in unclosed:
            end = text.find(_FRAMES[frame], place)
            if end < 0:
                unclosed.add(frame)
            else:
                place = end + len(_FRAMES[frame])


def unescaped(text: str) -> str:
    """A value as XML writes it: CDATA out of its frames, comments left out, entities replaced, all else kept."""
    if "<!" not in text:
        return _replaced(text)
    bare = text.strip()
    if bare.startswith(CDATA) and bare.endswith(CDATA_END):
        text = bare  # the blanks are those of the frame
    parts, place = [], 0
    while found := _SECTION.search(text, place):
        ends = "-->" if found[0] == "<!--" else CDATA_END
        end = text.find(ends, found.end())
        if end < 0:
            break
        parts.append(_replaced(text[place : found.start()]))
        parts.append(text[found.end() : end] if found[0] == CDATA else "")
        place = end + len(ends)
    return "".join((*parts, _replaced(text[place:])))


def escaped(text: str) -> str:
    """The inverse of `unescaped`: CDATA where the text has letters of markup, or blanks that framing would take."""
    if text == text.strip() and not set(text) & set("<>&"):
        return text
    return f"{CDATA}{text.replace(']]>', ']]]]><![CDATA[>')}{CDATA_END}"


def framed(text: str) -> str:
    """Without the line ends that stand around a value of several lines."""
    return text.strip() if "\n" in text else text


def _replaced(text: str) -> str:
    return _ENTITY.sub(_letter, text) if "&" in text else text


def _letter(found: re.Match[str]) -> str:
    """A number that stands for no letter stays as it was written."""
    name, decimal, hexadecimal = found.groups()
    if name:
        return _LETTERS[name]
    number = int(decimal) if decimal else int(hexadecimal, 16)
    is_letter = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0x110000
    return chr(number) if is_letter else found[0]


class _Node:
    def __init__(self, name: str, start: int) -> None:
        self.name, self.start = name, start
        self.children: list[tuple[str, Any]] = []

    def value(self, text: str, end: int) -> Any:
        return _grouped(self.children) if self.children else unescaped(framed(text[self.start : end]))


def extract(text: str) -> dict[str, Any]:
    """The closed tags of a text: name -> its text, an object where tags are nested in it, a list where repeated.

    A tag that is never closed, or closed by another, is text; attributes are passed over. Depth and number are
    bounded by LIMITS. Where a schema says what is meant, `linnet.calling.elements` reads more.
    """
    top = _Node("", 0)
    stack = [top]
    for tag in islice(tags(text), LIMITS.markup_tags):
        if tag.closes:
            _close(stack, tag, text)
        elif tag.empty:
            stack[-1].children.append((tag.name, ""))
        elif len(stack) <= LIMITS.schema_depth:
            stack.append(_Node(tag.name, tag.end))
    return _grouped(top.children)


def _close(stack: list[_Node], tag: Tag, text: str) -> None:
    """Ends the innermost open tag of that name; those inside it that were never closed are text."""
    place = next((i for i in range(len(stack) - 1, 0, -1) if stack[i].name == tag.name), 0)
    if place:
        node = stack[place]
        del stack[place:]
        stack[-1].children.append((node.name, node.value(text, tag.start)))


def _grouped(children: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in children:
        if name in repeated:
            found[name].append(value)
        elif name in found:
            found[name] = [found[name], value]
            repeated.add(name)
        else:
            found[name] = value
    return found
