"""Wrapping: text that comes in pieces, broken between words before it reaches the terminal's edge.

What has been written stays as it is: a word is held back until it is known whether it still fits, and never longer
than a line. Widths are cells: a CJK character has two, and a line may end after any of them.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len

_TAB = "    "


class Wrapping:
    """`columns()` is asked for each piece, so that a resize is seen; the last column stays free."""

    def __init__(self, columns: Callable[[], int]) -> None:
        self._columns = columns
        self._at = 0
        self._space = self._word = ""

    def feed(self, piece: str) -> str:
        """What of the text so far can be written now."""
        width = max(2, self._columns() - 1)
        return "".join(self._taken(character, width) for character in piece)

    def end(self) -> str:
        """What was held back."""
        return self._placed(max(2, self._columns() - 1))

    def _taken(self, character: str, width: int) -> str:
        if character == "\n":
            said = self._placed(width) + "\n"
            self._at, self._space = 0, ""
            return said
        if character.isspace() and character != "\xa0":
            said = self._placed(width)
            self._space += _TAB if character == "\t" else character
            return said
        wide = cell_len(character) > 1
        full = cell_len(self._word) + cell_len(character) > width
        said = self._placed(width) if wide or full else ""
        self._word += character
        return said

    def _placed(self, width: int) -> str:
        """The word that was held back, on this line or the next one."""
        if not self._word:
            return ""
        word, space, self._word, self._space = self._word, self._space, "", ""
        taken = self._at + cell_len(space) + cell_len(word)
        if taken > width:
            begin, self._at = "\n" if self._at else "", cell_len(word)
            return begin + word
        self._at = taken
        return space + word
