"""The pipe between a caller and a child: records are framed, typed, and checked on arrival.

A frame is a 4-byte little-endian length and that many bytes of JSON; lengths are checked before anything is
allocated. Nothing is pickled.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from linnet.errors import ProtocolBroken, RequestError, RequestTooLarge
from linnet.limits import LIMITS
from linnet.protocol import FromChild, Record, Submit, ToChild

_LENGTH = struct.Struct("<I")

_TO_CHILD: TypeAdapter[Any] = TypeAdapter(ToChild)
_FROM_CHILD: TypeAdapter[Any] = TypeAdapter(FromChild)


def check(submit: Submit) -> None:
    """Refuse here what the child could only refuse by giving up: a request that JSON cannot carry.

    Half a record is left for the tokens that a resumed request carries as well. Raises RequestTooLarge or
    RequestError.
    """
    limit = LIMITS.record_bytes // 2
    try:
        body = _TO_CHILD.dump_json(submit)
        if len(body) > limit:
            raise RequestTooLarge(f"the request is {len(body)} bytes as JSON; the limit is {limit}", limit=limit)
        _TO_CHILD.validate_json(body)
    except ValueError as error:
        raise RequestError(f"the request cannot be written as JSON: {str(error)[:300]}") from error


class Channel:
    """One end of the pipe. `child` says which end: it decides which records may arrive.

    Sending is not thread-safe: the owner of an end serialises its own sends.
    """

    def __init__(self, end: socket.socket, *, child: bool) -> None:
        self.socket = end
        self._arriving = _TO_CHILD if child else _FROM_CHILD
        self._leaving = _FROM_CHILD if child else _TO_CHILD
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, record: Record) -> None:
        """Blocks until the whole record is in the pipe. Raises OSError when the other side is gone."""
        self.socket.sendall(self.frame(record))

    def frame(self, record: Record) -> bytes:
        """The bytes of a record. Raises ProtocolBroken for one that is too large."""
        body = self._leaving.dump_json(record)
        if len(body) > LIMITS.record_bytes:
            raise ProtocolBroken(f"a record of {len(body)} bytes is over the limit of {LIMITS.record_bytes}")
        return _LENGTH.pack(len(body)) + body

    def receive(self) -> Record | None:
        """The next record; None at end of file. Blocks. Raises ProtocolBroken for what is not a record."""
        while True:
            record = self.buffered()
            if record is not None:
                return record
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                return None
            self._buffer += chunk

    def buffered(self) -> Record | None:
        """A record that has arrived whole already, or None; never blocks."""
        if len(self._buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer)
        if size > LIMITS.record_bytes:
            raise ProtocolBroken(f"a record of {size} bytes was announced; the limit is {LIMITS.record_bytes}")
        end = _LENGTH.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        try:
            record: Record = self._arriving.validate_json(body)
        except ValidationError as error:
            raise ProtocolBroken(f"not a record: {error.errors()[0]['msg']}") from error
        return record

    def pending(self) -> Record | None:
        """As `receive`, but None as well when nothing whole has arrived; never blocks.

        Raises EOFError at end of file, so that "nothing yet" and "nothing ever" differ.
        """
        record = self.buffered()
        if record is not None:
            return record
        try:
            chunk = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if not chunk:
            raise EOFError
        self._buffer += chunk
        return self.buffered()

    def arrived(self, most: int) -> Iterator[Record]:
        """What `pending` has to say, at most so many records; never blocks."""
        for _ in range(most):
            if (record := self.pending()) is None:
                return
            yield record

    def wait(self, seconds: float) -> bool:
        """Whether `pending` may have something new to say, waiting at most so long for it."""
        if self._whole():
            return True
        # not `select`, which fails for descriptors above 1,023
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1_000))

    def _whole(self) -> bool:
        if len(self._buffer) < _LENGTH.size:
            return False
        return len(self._buffer) >= _LENGTH.size + int(_LENGTH.unpack_from(self._buffer)[0])

    def close(self) -> None:
        self.socket.close()
