"""Text that arrives in pieces and is read forwards only: why every dialect is incremental and linear.

Hides buffering and marks that are cut between two pieces. A reader is a generator: it yields None when it
needs text that is not there yet, and is resumed when there is more, or when the end is known. What was
consumed is never looked at again, so no text can cost more than one pass.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from functools import cache
from typing import TypeAlias, TypeVar

from linnet.calling.dialects.parsed import Event

T = TypeVar("T")
Reading: TypeAlias = Generator[Event | None, None, T]

SPACE = re.compile(r"\s*+")


class NotACall(Exception):
    """What began like a call is none. `keep` says what of its text stays content: all, body, or nothing."""

    def __init__(self, reason: str, keep: str = "all") -> None:
        super().__init__(reason)
        self.reason, self.keep = reason, keep


class Marks:
    """Strings to look for. `pattern` is one more form, of bounded length `longest`, and `partial` what such a
    form may look like where the text so far ends in the middle of it."""

    def __init__(self, words: Iterable[str], pattern: str = "", partial: str = "", longest: int = 0) -> None:
        self.words = tuple(sorted(dict.fromkeys(words), key=len, reverse=True))
        forms = [*map(re.escape, self.words), *([pattern] if pattern else [])]
        starts = [*(_prefix(word) for word in self.words if len(word) > 1), *([partial] if partial else [])]
        self.find = re.compile("|".join(forms) or r"(?!)")
        self._start = re.compile(rf"(?:{'|'.join(starts)})\Z") if starts else re.compile(r"(?!)")
        self._longer = {w: [o for o in self.words if o != w and o.startswith(w)] for w in self.words}
        self._longest = max([longest, *map(len, self.words)], default=0)

    def undecided(self, text: str, found: re.Match[str]) -> bool:
        """Whether the text ends in the middle of a longer mark that begins like the one found."""
        return any(word.startswith(text[found.start() :]) for word in self._longer.get(found[0], ()))

    def safe(self, text: str, at: int) -> int:
        """Up to where `text` cannot be part of a mark, whatever comes next."""
        found = self._start.search(text, max(at, len(text) - self._longest))
        return found.start() if found else len(text)


@cache
def marks(*words: str) -> Marks:
    """The same words give the same `Marks`: they are compiled once. For words that the code knows."""
    return Marks(words)


def _prefix(word: str) -> str:
    """A pattern of every proper prefix of `word`."""
    pattern = ""
    for letter in reversed(word[:-1]):
        pattern = re.escape(letter) + (f"(?:{pattern})?" if pattern else "")
    return pattern


class Recording:
    """What was consumed since a moment."""

    def __init__(self, source: Source) -> None:
        self._source, self._from = source, len(source.log)
        source.recordings += 1

    def text(self) -> str:
        return "".join(self._source.log[self._from :])

    def restart(self) -> None:
        self._from = len(self._source.log)

    def close(self) -> None:
        self._source.recordings -= 1
        if not self._source.recordings:
            self._source.log.clear()


class Source:
    """The text so far. `fuse` is how many characters may still be consumed before NotACall is raised."""

    def __init__(self) -> None:
        self.text, self.at, self.ended = "", 0, False
        self.log: list[str] = []
        self.recordings = 0
        self.fuse: float = float("inf")

    def push(self, text: str) -> None:
        self.text, self.at = self.text[self.at :] + text, 0

    def record(self) -> Recording:
        return Recording(self)

    @property
    def done(self) -> bool:
        return self.ended and self.at >= len(self.text)

    def take(self, stop: int) -> str:
        """Consumes up to `stop`."""
        piece = self.text[self.at : stop]
        self.at = stop
        if self.recordings and piece:
            self.log.append(piece)
        self.fuse -= len(piece)
        if self.fuse < 0:
            raise NotACall("the call is too long")
        return piece

    def give_back(self, mark: str) -> None:
        """Undoes the last `take`, of a mark that somebody else is to read."""
        self.at -= len(mark)
        self.fuse += len(mark)
        if self.recordings and mark:
            self.log.pop()

    def peek(self, count: int = 1) -> Reading[str]:
        """The next `count` characters, fewer only at the end; consumes nothing."""
        while len(self.text) - self.at < count and not self.ended:
            yield None
        return self.text[self.at : self.at + count]

    def run(self, pattern: re.Pattern[str]) -> Reading[str]:
        """Consumes a run of single characters that `pattern` (which may match nothing) allows."""
        parts = []
        while True:
            found = pattern.match(self.text, self.at)
            parts.append(self.take(found.end() if found else self.at))
            if self.at < len(self.text) or self.ended:
                return "".join(parts)
            yield None

    def space(self) -> Reading[str]:
        return (yield from self.run(SPACE))

    def accept(self, *words: str) -> Reading[str]:
        """Consumes whichever of the words is next, and returns it; nothing and "" when none is."""
        while True:
            here = self.text[self.at : self.at + max(map(len, words))]
            for word in words:
                if here.startswith(word):
                    return self.take(self.at + len(word))
            if self.ended or not any(word.startswith(here) for word in words):
                return ""
            yield None

    def token(self, pattern: re.Pattern[str], partial: re.Pattern[str]) -> Reading[re.Match[str] | None]:
        """Consumes what `pattern` matches here; `partial` matches all that could still become such a token."""
        while True:
            found = pattern.match(self.text, self.at)
            if found:
                self.take(found.end())
                return found
            if self.ended or not partial.fullmatch(self.text, self.at):
                return None
            yield None

    def some(self, marks: Marks) -> Reading[tuple[str, str]]:
        """`(text, mark)`: text that is no part of a mark, as soon as there is any, and the mark behind it.

        The mark is "" when it is not known yet, or at the end.
        """
        while True:
            found = marks.find.search(self.text, self.at)
            if found and (self.ended or not marks.undecided(self.text, found)):
                text = self.take(found.start())
                return text, self.take(found.end())
            stop = len(self.text) if self.ended else marks.safe(self.text, self.at)
            if stop > self.at or self.ended:
                return self.take(stop), ""
            yield None

    def until(self, marks: Marks) -> Reading[tuple[str, str]]:
        """All text before the first mark, and the mark; "" for a mark at the end of the text."""
        parts = []
        while True:
            text, mark = yield from self.some(marks)
            parts.append(text)
            if mark or self.done:
                return "".join(parts), mark
