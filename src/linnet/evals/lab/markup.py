"""HTML and SVG out of values: what is not made here is text, and is escaped.

Hides escaping, control characters included, so that no answer of a model becomes part of a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already. Who makes it by hand vouches for it: `element` and `together` do so for all else."""

    __slots__ = ()


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_EMPTY = frozenset({"meta", "input", "line", "rect", "circle", "path"})


def text(value: object) -> Markup:
    """A value as text, control characters and those that turn its direction as escapes. Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(value))
    return Markup(html.escape(shown))


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """`<tag a="b">content</tag>`. Attributes of None are left out; `class_` is `class`, `http_equiv` has a hyphen."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(_number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY and not content:
        return Markup(f"<{tag}{told}>" if tag in ("meta", "input") else f"<{tag}{told}/>")
    return Markup(f"<{tag}{told}>{together(content)}</{tag}>")


def together(parts: Iterable[object]) -> Markup:
    return Markup("".join(map(text, parts)))


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
