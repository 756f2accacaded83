"""Tags in a text that is no document: what is in them, nested and repeated, in one pass and without a parser.

`<tool>filesystem</tool><path>a</path><path>b</path>` is `{"tool": "filesystem", "path": ["a", "b"]}`.
"""

from __future__ import annotations

import re
from typing import Any

from linnet.limits import LIMITS

_TAG = re.compile(r"<(/?)([A-Za-z_][\w.\-]{0,127})>")
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos);")
_LETTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
CDATA, CDATA_END = "<![CDATA[", "]]>"


def unescaped(text: str) -> str:
    """A value as XML writes it: CDATA taken out of its frame, the five entities replaced, all else kept."""
    bare = text.strip()
    if bare.startswith(CDATA) and bare.endswith(CDATA_END):
        return bare[len(CDATA) : -len(CDATA_END)].replace("]]]]><![CDATA[>", "]]>")
    return _ENTITY.sub(lambda found: _LETTERS[found[1]], text) if "&" in text else text


def escaped(text: str) -> str:
    """The inverse of `unescaped`: CDATA where the text has letters of markup, or blanks that framing would take."""
    if text == text.strip() and not set(text) & set("<>&"):
        return text
    return f"{CDATA}{text.replace(']]>', ']]]]><![CDATA[>')}{CDATA_END}"


class _Node:
    def __init__(self, name: str, start: int) -> None:
        self.name, self.start = name, start
        self.children: list[tuple[str, Any]] = []

    def value(self, text: str, end: int) -> Any:
        return _grouped(self.children) if self.children else unescaped(_framed(text[self.start : end]))


def extract(text: str) -> dict[str, Any]:
    """The closed tags of a text: name -> its text, an object where tags are nested in it, a list where repeated.

    A tag that is never closed, or closed by another, is text. Depth and number are bounded by LIMITS.
    """
    top = _Node("", 0)
    stack = [top]
    for count, found in enumerate(_TAG.finditer(text)):
        if count > LIMITS.schema_nodes:
            break
        if not found[1]:
            if len(stack) <= LIMITS.schema_depth:
                stack.append(_Node(found[2], found.end()))
            continue
        _close(stack, found, text)
    return _grouped(top.children)


def _close(stack: list[_Node], found: re.Match[str], text: str) -> None:
    """Ends the innermost open tag of that name; those inside it that were never closed are text."""
    place = next((i for i in range(len(stack) - 1, 0, -1) if stack[i].name == found[2]), 0)
    if place:
        node = stack[place]
        del stack[place:]
        stack[-1].children.append((node.name, node.value(text, found.start())))


def _framed(text: str) -> str:
    return text.strip() if "\n" in text else text


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
