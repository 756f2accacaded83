"""Entries out of a pipe: lines, lines that go on, and what is too long or no text."""

from __future__ import annotations

import io

import pytest

from linnet.errors import InputInvalid, RequestTooLarge
from linnet.interfaces.cli.chat.lines import read_entry
from linnet.limits import LIMITS


def entries(data: bytes) -> list[str | None]:
    stream = io.BytesIO(data)
    found: list[str | None] = []
    while (entry := read_entry(stream)) is not None:
        found.append(entry)
    return found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\n\n two \n", ["one", "", " two "]),
        (b"one\\\ntwo\\\nthree\nfour\n", ["one\ntwo\nthree", "four"]),
        (b"at the end\\\n", ["at the end\n"]),
        (b"at the end\\", ["at the end\\"]),
        ("größer\n".encode(), ["größer"]),
    ],
)
def test_entries(data: bytes, found: list[str]) -> None:
    assert entries(data) == found


def test_one_byte_past_the_limit_is_passed_over() -> None:
    most = b"a" * LIMITS.request_bytes
    stream = io.BytesIO(most + b"\n" + most + b"a\nnext\n")
    assert read_entry(stream) == most.decode()
    with pytest.raises(RequestTooLarge):
        read_entry(stream)
    assert read_entry(stream) == "next"


def test_bytes_that_are_no_text() -> None:
    stream = io.BytesIO(b"caf\xe9\nnext\n")
    with pytest.raises(InputInvalid, match="byte 3"):
        read_entry(stream)
    assert read_entry(stream) == "next"
