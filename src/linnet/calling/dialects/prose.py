"""Whether the place that content has reached is a quotation: code, quotation marks, a quoted line.

A call that somebody quotes is not a call. Knows the current line only, and whether a code fence is open.
"""

from __future__ import annotations

_OPENING = frozenset("\"'“‘«„`")
_HEAD = 16


class Prose:
    """Fed with all content in order; `quoted` is about what comes next."""

    def __init__(self) -> None:
        self._fenced = False
        self._head, self._ticks, self._tail = "", 0, ""

    def feed(self, text: str) -> None:
        if "`" in text or self._head.lstrip()[:1] == "`":
            first, *others = text.split("\n")
            self._grow(first)
            for line in others:
                self._end_line()
                self._grow(line)
        else:
            cut = text.rfind("\n")
            if cut >= 0:
                self._end_line()
            self._grow(text[cut + 1 :])

    def _grow(self, part: str) -> None:
        if len(self._head) < _HEAD:
            self._head += part[:_HEAD]
        self._ticks += part.count("`")
        self._tail = (self._tail + part[-2:])[-2:]

    def _end_line(self) -> None:
        if self._head.lstrip().startswith("```"):
            self._fenced = not self._fenced
        self._head, self._ticks, self._tail = "", 0, ""

    @property
    def begins_line(self) -> bool:
        return not self._head.strip()

    @property
    def quoted(self) -> bool:
        inside = self._fenced or self._ticks % 2 == 1 or self._head.lstrip().startswith(">")
        return inside or self._after_quotation_mark()

    def _after_quotation_mark(self) -> bool:
        """Whether a quotation begins right here; a mark behind a letter ends one."""
        before, mark = self._tail[:-1], self._tail[-1:]
        return mark in _OPENING and bool(mark) and (not before or before.isspace() or before in "([{:—-")
