"""Server-sent events: the same events however the bytes are cut, in bounds, and in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import RemoteInvalid
from linnet.runtime.sse import Events

LINE = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=20)
END = st.sampled_from(["\n", "\r\n", "\r"])


def told(*blocks: bytes, limit: int = 1_000) -> list[bytes]:
    events = Events(limit)
    return [data for block in blocks for data in events.feed(block)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\n\n", ["a"]),
        ("data:a\n\ndata:  b\n\n", ["a", " b"]),
        ("data: a\ndata: b\n\n", ["a\nb"]),
        (": a comment\n\ndata: a\r\n\r\n", ["a"]),
        ("event: x\nid: 1\nretry: 5\n\n", []),
        ("data: a\r\rdata: b\n\n", ["a", "b"]),
        ("\ufeffdata: a\n\n", ["a"]),
        ("data\n\n", [""]),
        ("data: a\n", []),
        ("data: a", []),
        ("dat: a\n\n", []),
    ],
)
def test_what_is_an_event(text: str, expected: list[str]) -> None:
    assert told(text.encode()) == [data.encode() for data in expected]


@given(st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=5), END, st.data())
def test_however_the_bytes_are_cut(events: list[list[str]], end: str, data: st.DataObject) -> None:
    body = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in events).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    blocks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert told(*blocks) == ["\n".join(lines).encode() for lines in events]
    assert told(*(body[n : n + 1] for n in range(len(body)))) == told(body)


@given(st.binary(max_size=400))
def test_no_bytes_are_too_odd(body: bytes) -> None:
    whole = told(body)
    assert told(*(body[n : n + 1] for n in range(len(body)))) == whole
    assert sum(map(len, whole)) <= len(body)


def test_an_event_has_a_limit() -> None:
    assert told(b"data: " + b"x" * 94 + b"\n\n", limit=100) == [b"x" * 94]
    with pytest.raises(RemoteInvalid, match="over 100 bytes"):
        told(b"data: " + b"x" * 95, limit=100)


@pytest.mark.parametrize("line", [b"data:\n", b"data: xxxx\n", b"x"])
def test_many_small_parts_have_it_too(line: bytes) -> None:
    with pytest.raises(RemoteInvalid):
        told(*[line] * 200, limit=100)


def test_what_is_no_data_takes_no_room() -> None:
    assert told(*[b": a comment\nid: 7\n"] * 500, b"data: a\n\n", limit=100) == [b"a"]


def test_time_grows_with_the_bytes_and_no_faster() -> None:
    """Counted in bytes looked at, not in seconds: a line that arrives in single bytes is joined once."""
    joined = 0

    class Counting(bytes):
        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
            nonlocal joined
            joined += 1
            return super().__getitem__(key)  # type: ignore[index]

    events = Events(1 << 20)
    for _ in range(5_000):
        events.feed(Counting(b"x"))
    assert joined <= 5_000
    assert len(events._parts) == 5_000


@pytest.mark.parametrize("line", [b":" + b"x" * 64, b"data:" + b"x" * 60, b"event:" + b"x" * 60], ids=ascii)
def test_a_line_is_too_large_however_it_arrives(line: bytes) -> None:
    for blocks in ([line + b"\n\n"], [bytes([byte]) for byte in line + b"\n\n"]):
        with pytest.raises(RemoteInvalid):
            told(*blocks, limit=64)
