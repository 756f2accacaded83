"""Shortening: within the limit, from both ends, with a mark, and always the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.context.shorten import MARK, shorten


def words(text: str) -> int:
    return len(text.split())


def test_what_fits_is_left_alone() -> None:
    text = "a b  c"
    assert shorten(text, 3, words) is text


def test_the_middle_goes() -> None:
    text = " ".join(f"w{i:03}" for i in range(100))
    assert (
        shorten(text, 20, words)
        == "w000 w001 w002 w003 w004 w005 w006 w007 w008 w009 [... cut ...] w095 w096 w097 w098 w099"
    )


def test_no_room_is_no_text() -> None:
    assert shorten("a b c", 0, words) == ""


@given(st.text(max_size=300), st.integers(0, 60), st.sampled_from([words, len, lambda text: len(text.encode())]))
def test_it_is_never_longer(text: str, most: int, count: object) -> None:
    assert callable(count)
    shorter = shorten(text, most, count)
    assert count(shorter) <= most
    assert shorter == text or shorter == "" or MARK.strip() in shorter
    assert shorten(text, most, count) == shorter


@given(st.text(alphabet="ab ", min_size=100, max_size=300))
def test_what_is_kept_stood_there(text: str) -> None:
    head, mark, tail = shorten(text, 60, len).partition(MARK)
    assert not mark or (text.startswith(head) and text.endswith(tail))
