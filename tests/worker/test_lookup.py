"""Guesses: only what stood there before, never longer than allowed, and fewer of them where they fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.worker.lookup import GRAM, LEAST, MOST, Lookup

SONG = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_what_followed_the_same_tokens_before_is_guessed() -> None:
    assert Lookup([*SONG, 0, 1, 2, 3]).guess(9) == [4, 5]
    assert Lookup([*SONG, 0, 1, 2, 3]).guess(1) == [4]


def test_the_last_place_counts() -> None:
    assert Lookup([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]).guess(1) == [5]


def test_new_tokens_and_short_texts_give_no_guess() -> None:
    assert Lookup([*SONG, 0, 1, 2]).guess(9) == []
    assert Lookup(SONG).guess(9) == []
    assert Lookup([1, 2]).guess(9) == Lookup([]).guess(9) == []
    assert Lookup([*SONG, 1, 2, 3]).guess(0) == []


def test_guesses_that_hold_grow_and_others_shrink() -> None:
    long = [*range(100), *range(10)]
    lookup = Lookup(long)
    lengths = []
    for _ in range(4):
        guess = lookup.guess(99)
        lengths.append(len(guess))
        lookup.judge(len(guess), len(guess))
    assert lengths == [LEAST, 2 * LEAST, 4 * LEAST, MOST]
    lookup.judge(MOST, 5)
    assert len(lookup.guess(99)) == 5


def test_after_a_failure_it_is_quiet_for_longer_each_time() -> None:
    lookup = Lookup([7] * (GRAM + 1))
    waits = []
    for _ in range(6):
        assert lookup.guess(4)
        lookup.judge(2, 0)
        quiet = 0
        while not lookup.guess(4):
            lookup.add(7)
            quiet += 1
        waits.append(quiet)
    assert waits == [4, 8, 16, 32, 64, 64]
    lookup.judge(2, 1)
    lookup.judge(2, 0)
    lookup.add(7)
    assert not lookup.guess(4)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 20))
def test_a_guess_is_always_a_piece_of_the_past(tokens: list[int], limit: int) -> None:
    guess = Lookup(tokens).guess(limit)
    assert len(guess) <= min(limit, MOST)
    if guess:
        seen = [*tokens[-GRAM:], *guess]
        assert any(tokens[i : i + len(seen)] == seen for i in range(len(tokens)))
