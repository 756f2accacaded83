"""A text made shorter by leaving out its middle, with a mark where something is missing."""

from __future__ import annotations

from collections.abc import Callable

MARK = " [... cut ...] "


def shorten(text: str, most: int, count: Callable[[str], int]) -> str:
    """At most `most` tokens of a text, its beginning and its end; the text itself if it has no more.

    `count` gives the tokens of a text. The same text, limit and count lead to the same result. Where there is no
    room for the mark and something beside it, "".
    """
    tokens = count(text)
    if tokens <= most:
        return text
    chars = len(text) * most // max(1, tokens)
    while chars > 0:
        shorter = _ends(text, chars)
        if count(shorter) <= most:
            return shorter
        chars = chars * 4 // 5
    return ""


def _ends(text: str, chars: int) -> str:
    """Two thirds of the characters from the beginning, one from the end, cut between words where there are any."""
    head, tail = text[: chars * 2 // 3], text[len(text) - chars // 3 :]
    head = head.rsplit(None, 1)[0] if len(head.split(None, 1)) > 1 else head
    tail = tail.split(None, 1)[1] if len(tail.split(None, 1)) > 1 else tail
    return f"{head.rstrip()}{MARK}{tail.lstrip()}"
