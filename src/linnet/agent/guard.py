"""Against going round in circles: calls over and over, words over and over, and thoughts without an end."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from linnet.messages import ToolCall

# --- calls ---------------------------------------------------------------------------------------

_ALIKE, _LONGEST = 2, 4
"""Calls that are all but the same and are still made, and the calls in one round of a circle at most."""

_WORD = re.compile(r"[^\W_]+")
_LITTLE = frozenset("a an and at by for from in is my of on or please the to with".split())
"""Words that make no difference to what is asked of a tool."""

# --- words ---------------------------------------------------------------------------------------

_LETTER = re.compile(r"[^\W_]")
_PASSAGE, _SHORTEST, _TIMES = 200, 12, 4
"""Characters of a passage at most and at least, and how often it stands in a row before it counts as a loop."""

_LONG, _LONG_TIMES, _END = 800, 3, 48
"""Characters of a longer passage at most, how often it stands in a row, and those of its end, which find it again."""

_STALE_WORDS, _STALE_CHARS, _STALE_SHARE = 120, 1_200, 0.3
"""Words at the end of a text, in so many characters at most, and the share of their triples that is new at least."""

_THOUGHT = 0.75
"""Share of an answer's tokens that may go into thoughts."""

_THINKS = re.compile(r"\s*(?:<think(?:ing)?>|\[THINK\]|<\|START_THINKING\|>|<\|channel\|?>(?:thought|analysis))")
_THOUGHT_OUT = re.compile(r"</think(?:ing)?>|\[/THINK\]|<\|END_THINKING\|>|<channel\|>|<\|end\|>")


class Guard:
    """Watches the calls of one turn."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._forms: list[str] = []

    def repeats(self, call: ToolCall) -> bool:
        """Whether this call, with these arguments, was made before in this turn; remembers it."""
        key = json.dumps([call.name, call.arguments], sort_keys=True, default=str)
        if key in self._seen:
            return True
        self._seen.add(key)
        return False

    def objection(self, call: ToolCall) -> str:
        """Why a call should not be made again, "" if it may be; remembers it.

        The same call is made once, one that is all but the same twice, and a round of several calls is not gone
        through a second time to its end.
        """
        if self.repeats(call):
            return f"the call of {call.name} was asked for twice and made once"
        self._forms.append(_form(call))
        if self._forms.count(self._forms[-1]) > _ALIKE:
            return f"the call of {call.name} was asked for with all but the same arguments, and made {_ALIKE} times"
        if size := _circle(self._forms):
            return f"the last {size} calls were asked for a second time: the last of them, {call.name}, was not made"
        return ""

    @staticmethod
    def loops(text: str) -> bool:
        """Whether a text ends in the same passage so many times over that nothing new is to be expected.

        Lists may begin alike, so a passage must repeat to the letter; a long one counts after fewer times.
        """
        if _recurs(text):
            return True
        tail = text[-_PASSAGE * _TIMES :]
        sizes = range(_SHORTEST, len(tail) // _TIMES + 1)
        # A ruled line or a table's head repeats without a letter, and is no loop.
        return any(tail.endswith(tail[-size:] * _TIMES) and _LETTER.search(tail[-size:]) for size in sizes)

    @staticmethod
    def stale(text: str) -> bool:
        """Whether the last words of a text are the same few phrases in ever other orders.

        Numbers count as words, so that counting and tables are no such thing.
        """
        words = text[-_STALE_CHARS:].casefold().split()[-_STALE_WORDS:]
        triples = list(zip(words, words[1:], words[2:], strict=False))
        return len(words) >= _STALE_WORDS and len(set(triples)) < _STALE_SHARE * len(triples)

    @staticmethod
    def thinks(text: str) -> bool:
        """Whether a text begins with a thought that has not ended."""
        return bool(_THINKS.match(text)) and not _THOUGHT_OUT.search(text)

    @classmethod
    def runaway(cls, text: str, spent: float = 0.0) -> str:
        """Why an answer should be stopped here, "" if it need not be; `spent` is the share of its tokens that is
        gone."""
        if cls.loops(text):
            return "it repeated itself"
        if cls.stale(text):
            return "it said the same few phrases over and over"
        return "it thought without coming to an answer" if spent > _THOUGHT and cls.thinks(text) else ""


def _recurs(text: str) -> bool:
    """Whether a text ends in the same long passage, `_LONG_TIMES` in a row: as far back as its end stood before."""
    tail = text[-_LONG * _LONG_TIMES :]
    end, at = tail[-_END:], len(tail) - _PASSAGE
    while at > 0 and (at := tail.rfind(end, 0, at)) >= 0:
        size = len(tail) - _END - at
        if size > _LONG:
            break
        if tail.endswith(tail[-size:] * _LONG_TIMES):
            return True
        at += _END - 1
    return False


def _form(call: ToolCall) -> str:
    """A call without what makes no difference: case, punctuation, order of words and little words."""
    return json.dumps([call.name, _plain(call.arguments)], sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    words = [word for word in _WORD.findall(value.casefold()) if word not in _LITTLE]
    return sorted(words) if any(map(str.isalpha, words)) else value


def _circle(forms: list[str]) -> int:
    """How many calls the round has that was just gone through for the second time; 0: there is none."""
    for size in range(2, min(_LONGEST, len(forms) // 2) + 1):
        last = forms[-size:]
        if last == forms[-2 * size : -size] and any(a != b for a, b in pairwise(last)):
            return size
    return 0
