"""What of a conversation fits: the newest, whole, without a gap, and every message is kept or told of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.context import fit
from linnet.messages import Message

REQUEST = Message("user", "now")


def characters(messages: tuple[Message, ...]) -> int:
    return sum(len(message.content) for message in messages)


def test_all_that_fits_is_kept_in_order() -> None:
    history = (Message("system", "one"), Message("user", "two"), Message("assistant", "three"))
    assert fit(history, REQUEST, 14, characters) == ((*history, REQUEST), ())


def test_the_oldest_go_first_and_are_told() -> None:
    history = (Message("system", "x" * 100), Message("user", "two"), Message("assistant", "three"))
    kept, dropped = fit(history, REQUEST, 13, characters)
    assert kept == (*history[1:], REQUEST)
    assert dropped == ("system: " + "x" * 60,)


def test_no_gap_is_left_before_a_long_message() -> None:
    history = (Message("user", "a"), Message("assistant", "b" * 50), Message("user", "c"))
    kept, dropped = fit(history, REQUEST, 10, characters)
    assert kept == (history[2], REQUEST)
    assert dropped == ("user: a", "assistant: " + "b" * 50)


def test_the_request_itself_is_never_dropped() -> None:
    assert fit((Message("user", "a"),), REQUEST, 0, characters) == ((REQUEST,), ("user: a",))


def test_without_history_nothing_is_counted() -> None:
    def never(messages: tuple[Message, ...]) -> int:
        raise AssertionError("counted")

    assert fit((), REQUEST, 0, never) == ((REQUEST,), ())


@given(st.lists(st.text(max_size=20), max_size=12), st.integers(0, 150))
def test_kept_and_dropped_are_the_whole(contents: list[str], budget: int) -> None:
    history = [Message("user", content) for content in contents]
    kept, dropped = fit(history, REQUEST, budget, characters)
    assert kept == (*history[len(dropped) :], REQUEST)
    assert dropped == tuple(f"user: {message.content[:60]}" for message in history[: len(dropped)])
    assert len(kept) == 1 or characters(kept) <= budget
    if dropped:
        assert characters((history[len(dropped) - 1], *kept)) > budget
