"""Bytes -> text: the same text however the bytes arrive, never half a character, never part of a stop string."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linnet.worker.text import TextStream

# Every proper beginning of a character's bytes; a step of 64 passes over the last byte only.
BEGINNINGS = {
    chr(code).encode()[:size]
    for code in (*range(0x80, 0x800), *range(0x800, 0xD800, 64), *range(0xE000, 0x110000, 64))
    for size in range(1, len(chr(code).encode()))
}


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def run(parts: list[bytes], stops: tuple[str, ...] = ()) -> tuple[str, bool]:
    stream = TextStream(stops)
    text = "".join(map(stream.feed, parts)) + stream.feed(b"", final=True)
    return text, stream.stopped


def expected(data: bytes, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Character by character: the first stop string to be complete cuts; of two, the longer."""
    whole = data.decode(errors="replace")
    for end in range(1, len(whole) + 1):
        done = [end - len(stop) for stop in stops if whole[:end].endswith(stop)]
        if done:
            return whole[: min(done)], True
    return whole, False


def beginning(data: bytes) -> bytes:
    """What may be waited for: the beginning of a character at the very end."""
    return next((data[-size:] for size in (3, 2, 1) if data[-size:] in BEGINNINGS), b"")


MESS = st.lists(
    st.sampled_from([b"a", "é".encode(), "€".encode(), "\U0001f600".encode(), b"\xff", b"\x80", b"\xe2\x82"])
    | st.binary(max_size=4),
    max_size=8,
).map(b"".join)
CUTS = st.lists(st.integers(0, 40), max_size=8)


# --- characters ----------------------------------------------------------------------------------


@given(st.text(max_size=12), CUTS)
def test_text_does_not_depend_on_where_it_is_cut(text: str, cuts: list[int]) -> None:
    assert run(split(text.encode(), cuts)) == (text, False)


@given(MESS, CUTS)
@settings(max_examples=300)
@example(b"\xed\xa0\x80", [1, 2])  # half a surrogate pair
@example(b"\xf4\x90\x80\x80", [1, 2, 3])  # beyond Unicode
@example(b"\xe2\x82", [1])
def test_bytes_do_not_depend_on_where_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert run(split(data, cuts)) == (data.decode(errors="replace"), False)


@given(MESS, CUTS)
@settings(max_examples=300)
@example(b"\xed\xa0", [])
@example(b"\xc0\xaf", [])
@example(b"\xf8\x88", [])
def test_only_the_beginning_of_a_character_waits(data: bytes, cuts: list[int]) -> None:
    """An invalid byte becomes U+FFFD at once: it must not hold back what follows."""
    stream, seen, shown = TextStream(), b"", ""
    for part in split(data, cuts):
        shown += stream.feed(part)
        seen += part
        ready = seen[: len(seen) - len(beginning(seen))]
        assert shown == ready.decode(errors="replace")


@pytest.mark.parametrize("byte", [0x80, 0xBF, 0xC0, 0xC1, 0xF5, 0xFE, 0xFF])
def test_a_byte_of_no_character_is_shown_at_once(byte: int) -> None:
    assert TextStream().feed(bytes([byte])) == "\ufffd"
    assert TextStream(("stop",)).feed(bytes([byte])) == "\ufffd"


def test_a_broken_character_does_not_eat_the_next() -> None:
    stream = TextStream()
    assert stream.feed(b"\xe2\x82") == ""
    assert stream.feed(b"x") == "\ufffdx"


def test_the_end_shows_half_a_character_as_one_replacement() -> None:
    stream = TextStream()
    assert stream.feed("ab€".encode()[:-1]) == "ab"
    assert stream.feed(b"", final=True) == "\ufffd"


# --- stop strings --------------------------------------------------------------------------------

STOPS = st.lists(st.text("abé€", min_size=1, max_size=4), max_size=3).map(tuple)


@given(st.text("abé€x", max_size=16), STOPS, CUTS)
@settings(max_examples=500)
@example("abcd", ("abcd", "bc"), [])
@example("abcd", ("abcd", "bc"), [1, 2, 3])
@example("aab", ("ab", "aab"), [2])
def test_a_stop_string_is_never_shown_in_part(text: str, stops: tuple[str, ...], cuts: list[int]) -> None:
    assert run(split(text.encode(), cuts), stops) == expected(text.encode(), stops)


@given(MESS, st.lists(st.text("a\ufffd€", min_size=1, max_size=3), max_size=3).map(tuple), CUTS)
@settings(max_examples=300)
def test_stop_strings_among_broken_bytes(data: bytes, stops: tuple[str, ...], cuts: list[int]) -> None:
    assert run(split(data, cuts), stops) == expected(data, stops)


@given(st.text("ab", max_size=12), STOPS)
def test_no_more_is_held_back_than_may_become_a_stop_string(text: str, stops: tuple[str, ...]) -> None:
    stream, shown = TextStream(stops), ""
    for i, character in enumerate(text, start=1):
        shown += stream.feed(character.encode())
        if stream.stopped:
            return
        held = text[len(shown) : i]
        assert not held or any(stop.startswith(held) and stop != held for stop in stops)


def test_overlapping_stops() -> None:
    assert run([b"a", b"b", b"c"], ("ab", "bc")) == ("", True)
    assert run([b"xa", b"bc"], ("abd", "bc")) == ("xa", True)
    assert run([b"<", b"<", b"<", b"e", b">"], ("<<e>",)) == ("<", True)


def test_a_stop_at_the_very_end() -> None:
    assert run([b"The end", b"\n", b"\n"], ("\n\n",)) == ("The end", True)


def test_a_stop_that_is_not_finished_is_text_after_all() -> None:
    stream = TextStream(("\n\n",))
    assert stream.feed(b"one\n") == "one"
    assert stream.feed(b"two\n") == "\ntwo"
    assert stream.feed(b"", final=True) == "\n"
    assert not stream.stopped


def test_nothing_comes_after_a_stop() -> None:
    stream = TextStream(("!",))
    assert stream.feed(b"a!b") == "a"
    assert stream.stopped
    assert stream.feed(b"more") == stream.feed(b"more", final=True) == ""


def test_a_stop_of_several_bytes_may_come_in_halves() -> None:
    data = "ja€".encode()
    assert run([data[:3], data[3:4], data[4:]], ("€",)) == ("ja", True)


def test_a_stop_inside_one_token_hides_the_rest_of_the_token() -> None:
    assert run([b"one. Two"], (".",)) == ("one", True)
