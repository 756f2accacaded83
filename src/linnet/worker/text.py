"""Bytes of tokens -> text that may be shown: never half a character, never part of a stop string."""

from __future__ import annotations

import codecs


class TextStream:
    """Feed bytes, get whole characters.

    A character split over tokens waits for its rest; a byte that can be part of no character becomes
    U+FFFD at once. Text that may be the beginning of a stop string waits too; once a stop string is
    complete, `stopped` is true and nothing after it is ever returned.
    """

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = stops
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """The text that `data` completes; with `final`, everything that was still waiting as well."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data, final)
        cut = min((at for stop in self._stops if (at := self._held.find(stop)) >= 0), default=-1)
        if cut >= 0:
            self.stopped = True
            keep = cut
        else:
            keep = len(self._held) - (0 if final else self._possible_stop())
        out, self._held = self._held[:keep], self._held[keep:]
        return out

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that some stop string begins with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for size in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-size:]
            if any(stop.startswith(end) for stop in self._stops):
                return size
        return 0
