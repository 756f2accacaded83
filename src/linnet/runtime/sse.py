"""Server-sent events out of bytes as they arrive: the data of each, in linear time and bounded memory.

Hides line ends cut between two blocks, comments, and fields that carry no data.
"""

from __future__ import annotations

import re

from linnet.errors import RemoteInvalid

_END = re.compile(rb"\r\n|\r|\n")
_MARK = b"\xef\xbb\xbf"
"""A byte order mark, which may stand before the first line."""


class Events:
    """One stream. `limit` is the largest event, in bytes; what has no end by then is no event."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []  # of the line that has not ended
        self._data: list[bytes] = []  # of the event that has not ended
        self._size = 0  # of both
        self._halved = False  # the last block ended in \r, so that a \n now belongs to it
        self._first = True

    def feed(self, block: bytes) -> list[bytes]:
        """The data of each event that ends in this block. Raises RemoteInvalid for one that is too large."""
        if self._halved and block[:1] == b"\n":
            block, self._halved = block[1:], False
        if not block:
            return []
        self._halved = block.endswith(b"\r")
        *ended, rest = _END.split(block)
        events = [event for line in ended if (event := self._line(line)) is not None]
        self._hold(self._parts, rest)
        return events

    def _line(self, end: bytes) -> bytes | None:
        """A line has ended, with these bytes; the event's data if it has ended too."""
        self._hold(self._parts, end)  # also what came whole counts as it would have in parts
        line = b"".join(self._parts)
        self._size -= len(line)
        self._parts = []
        if self._first:
            self._first, line = False, line.removeprefix(_MARK)
        if not line:
            return self._dispatched()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._hold(self._data, value.removeprefix(b" "))
            self._size += 1  # an empty line of data takes room too
        return None

    def _dispatched(self) -> bytes | None:
        data, self._data, self._size = self._data, [], 0
        return b"\n".join(data) if data else None

    def _hold(self, held: list[bytes], part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise RemoteInvalid(
                f"the server sent an event of over {self._limit:,} bytes, the limit", limit=self._limit
            )
        if part or held is self._data:
            held.append(part)
