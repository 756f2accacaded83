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
        self._held += self._decode(data, final)
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            # the one that is complete first, so that it does not matter how the text was cut into tokens
            self.stopped = True
            keep = min(found)[1]
        else:
            keep = len(self._held) - (0 if final else self._possible_stop())
        out, self._held = self._held[:keep], self._held[keep:]
        return out

    def _decode(self, data: bytes, final: bool) -> str:
        text = self._decoder.decode(data, final)
        waiting = self._decoder.getstate()[0]
        if waiting[:1] == b"\xed" and waiting[1:2] >= b"\xa0":
            # half a surrogate pair is no character, but Python waits for its third byte
            text += self._decoder.decode(b"", True)
        return text

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that some stop string begins with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for size in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-size:]
            if any(stop.startswith(end) for stop in self._stops):
                return size
        return 0
