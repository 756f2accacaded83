"""Against going round in circles: the same call twice in one turn, and the same words over and over."""

from __future__ import annotations

import json
import re

from linnet.messages import ToolCall

_LETTER = re.compile(r"[^\W_]")
_PASSAGE, _SHORTEST, _TIMES = 200, 12, 4
"""Characters of a passage at most and at least, and how often it stands in a row before it counts as a loop."""


class Guard:
    """Watches the calls of one turn."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def repeats(self, call: ToolCall) -> bool:
        """Whether this call, with these arguments, was made before in this turn; remembers it."""
        key = json.dumps([call.name, call.arguments], sort_keys=True, default=str)
        if key in self._seen:
            return True
        self._seen.add(key)
        return False

    @staticmethod
    def loops(text: str) -> bool:
        """Whether a text ends in the same passage so many times over that nothing new is to be expected.

        A passage is up to `_PASSAGE` characters; lists may begin alike, so it must repeat to the letter.
        """
        tail = text[-_PASSAGE * _TIMES :]
        sizes = range(_SHORTEST, len(tail) // _TIMES + 1)
        # A ruled line or a table's head repeats without a letter, and is no loop.
        return any(tail.endswith(tail[-size:] * _TIMES) and _LETTER.search(tail[-size:]) for size in sizes)
