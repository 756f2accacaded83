"""Requests out of a pipe: one a line, or over several lines that end with a backslash.

Hides bytes that are not text, and lines without end: what is over the limit is passed over, not kept.
"""

from __future__ import annotations

from typing import BinaryIO

from linnet.errors import InputInvalid, RequestTooLarge
from linnet.limits import LIMITS

_CHUNK = 1 << 16


def read_entry(stream: BinaryIO) -> str | None:
    """The next entry, without its line's end; None at the end of input.

    Raises RequestTooLarge and InputInvalid for one that cannot be used; the next one follows.
    """
    parts: list[bytes] = []
    size, ended = 0, True
    while line := stream.readline(_CHUNK):
        ended = False
        whole = line.endswith(b"\n")
        text = line.rstrip(b"\r\n") if whole else line
        size += len(text)
        goes_on = whole and text.endswith(b"\\")
        if size <= LIMITS.request_bytes:
            parts.append(text[:-1] + b"\n" if goes_on else text)
        if whole and not goes_on:
            break
    if ended:
        return None
    if size > LIMITS.request_bytes:
        raise RequestTooLarge(f"the request is over {LIMITS.request_bytes:,} bytes", limit=LIMITS.request_bytes)
    return _text(b"".join(parts))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        hint = "Convert it first, for example with iconv."
        raise InputInvalid(f"the request is not UTF-8 at byte {error.start}", hint=hint) from error
