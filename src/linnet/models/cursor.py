"""Takes the bytes of a file one after the other, and believes no length before it is held against limits.

Hides buffering, and the account of what the result will occupy in memory. The file is read with `pread`, never
mapped, so that one that is cut short meanwhile is a fault and not a SIGBUS.
"""

from __future__ import annotations

import codecs
import os
import re
import struct
import sys
from array import array
from itertools import chain
from typing import Any

from linnet.limits import LIMITS, MIB
from linnet.models.faults import Broken, Fault, Faults
from linnet.models.texts import Texts

_CHUNK = 1 << 18
_OWN = 20 * MIB
"""Counted from the start: buffers, and what looking for duplicates among tokens takes."""

_COUNT, _WORD = struct.Struct("<Q"), struct.Struct("<I")


class Cursor:
    """`position` is the next byte; `faults` gets what does not keep it from going on. The rest raises Broken."""

    def __init__(self, fd: int, faults: Faults) -> None:
        self._fd = fd
        self._faults = faults
        self.size = os.fstat(fd).st_size
        self.position = 0
        self._memory = _OWN
        self._buffer = b""
        self._start = 0

    # --- numbers ---------------------------------------------------------------------------------

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, which are known to be in the file before they are read."""
        self._require(count, what)
        begin = self.position - self._start
        if count > _CHUNK:
            data = self._read(count, count)
        else:
            if begin + count > len(self._buffer):
                self._buffer, self._start, begin = self._read(_CHUNK, count), self.position, 0
            data = self._buffer[begin : begin + count]
        self.position += count
        return data

    def word(self, what: str) -> int:
        return int(_WORD.unpack(self.take(4, what))[0])

    def long(self, what: str) -> int:
        return int(_COUNT.unpack(self.take(8, what))[0])

    def count(self, what: str, limit: int, size: int) -> int:
        """A 64-bit count of things that take at least `size` bytes each."""
        where = self.position
        count = self.long(what)
        if count > limit:
            raise broken(where, f"{what} is {count}, the limit is {limit}")
        if count * size > self.size - self.position:
            left = self.size - self.position
            raise broken(where, f"{what} is {count} of at least {size} bytes, the file has {left} bytes more")
        return count

    def numbers(self, what: str, code: str) -> array[Any]:
        """An array of numbers; `code` is that of `struct` and `array`, which agree in size for those in use."""
        size = struct.calcsize("<" + code)
        left = self.count(f"the number of elements in {what}", LIMITS.gguf_array, size) * size
        self.charge(left + left // 8)  # an array grows by a little more than it needs
        values: array[Any] = array(code)
        while left:
            piece = self.take(min(left, _CHUNK), what)
            values.frombytes(piece)
            left -= len(piece)
        if sys.byteorder == "big":
            values.byteswap()
        return values

    # --- texts -----------------------------------------------------------------------------------

    def string(self, what: str, limit: int = LIMITS.gguf_string_bytes) -> str:
        """A string; where it is not UTF-8, with a fault and replacement characters."""
        length = self.count(f"the length of {what}", limit, 1)
        self._afford(length)
        where = self.position
        raw = self.take(length, what)
        self.charge(64 + length * _width(raw), beside=length)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self._faults.add(where + error.start, f"{what} is not UTF-8")
            self._afford(5 * length)
            return raw.decode(errors="replace")

    def strings(self, what: str) -> Texts:
        """An array of strings."""
        count = self.count(f"the number of strings in {what}", LIMITS.gguf_strings, 8)
        begin = self.position
        self.charge(5 * count)
        data, ends, room = bytearray(), array("I"), self._room()
        buffer, at = b"", 0
        for _ in range(count):
            if at + 8 > len(buffer):
                buffer, at = self._ahead(len(buffer) - at, 8, what), 0
            (length,) = _COUNT.unpack_from(buffer, at)
            if at + 8 + length > len(buffer):
                self._check_length(length, len(buffer) - at - 8, what, room - len(data))
                buffer, at = self._ahead(len(buffer) - at, 8 + length, what), 0
            at += 8
            data += buffer[at : at + length]
            ends.append(len(data))
            at += length
            if len(data) > room:
                self._afford(len(data))
        self.position -= len(buffer) - at
        self.charge(len(data) + len(data) // 8)
        self._check_utf8(Texts(data, ends), data, begin, what)
        return Texts(data, ends)

    def _ahead(self, kept: int, needed: int, what: str) -> bytes:
        """What was read and not yet used, and all up to a chunk behind it; `position` is behind that."""
        self.position -= kept
        self._require(needed, what)
        data = self._read(max(_CHUNK, needed), needed)
        self.position += len(data)
        return data

    def _check_length(self, length: int, ahead: int, what: str, room: int) -> None:
        where = self.position - ahead - 8
        if length > LIMITS.gguf_string_bytes:
            limit = LIMITS.gguf_string_bytes
            raise broken(where, f"the length of a string of {what} is {length}, the limit is {limit}")
        if length > self.size - where - 8:
            left = self.size - where - 8
            raise broken(where, f"the length of a string of {what} is {length}, the file has {left} bytes more")
        if 2 * length > room:
            self._afford(2 * length)

    def _check_utf8(self, texts: Texts, data: bytearray, begin: int, what: str) -> None:
        """All of it at once, and then only that none begins in the middle of a character."""
        if data.isascii():
            return
        whole, decoder = True, codecs.getincrementaldecoder("utf-8")()
        try:
            for at in range(0, len(data), _CHUNK):
                decoder.decode(data[at : at + _CHUNK])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            whole = False
        begins = (data[at] for at in chain((0,), texts.ends) if at < len(data))
        if whole and not any(0x80 <= byte < 0xC0 for byte in begins):
            return
        where = begin
        for raw in texts.raws():
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                self._faults.add(where + 8 + error.start, f"a string of {what} is not UTF-8")
            where += 8 + len(raw)

    # --- memory and the file ---------------------------------------------------------------------

    def charge(self, count: int, *, beside: int = 0) -> None:
        """Count memory that stays; `beside` is needed only while it is made."""
        self._afford(count + beside)
        self._memory += count

    def _room(self) -> int:
        return LIMITS.gguf_memory - self._memory

    def _afford(self, count: int) -> None:
        if count > self._room():
            raise broken(self.position, f"the header would take over {LIMITS.gguf_memory} bytes of memory, the limit")

    def _require(self, count: int, what: str) -> None:
        if count > self.size - self.position:
            left = self.size - self.position
            raise broken(self.position, f"{what} needs {count} bytes, the file has {left} more")

    def _read(self, wanted: int, needed: int) -> bytes:
        """From `position` on, at least `needed` bytes."""
        pieces, got = [], 0
        while got < needed:
            try:
                piece = os.pread(self._fd, wanted - got, self.position + got)
            except OSError as error:
                raise broken(self.position + got, f"the file cannot be read: {error.strerror}") from error
            if not piece:
                raise broken(self.position + got, "the file was cut short while it was read")
            pieces.append(piece)
            got += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def broken(where: int, what: str, key: str | None = None) -> Broken:
    return Broken(Fault(where, what, key))


_WIDE, _MIDDLE = re.compile(rb"[\xf0-\xff]"), re.compile(rb"[\xc4-\xef]")


def _width(raw: bytes) -> int:
    """Bytes that a character of the decoded text takes: Python gives all as many as the widest needs."""
    if raw.isascii():
        return 1
    return 4 if _WIDE.search(raw) else 2 if _MIDDLE.search(raw) else 1
