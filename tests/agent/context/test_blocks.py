"""Where the window begins: in blocks, by a rule that needs no memory and never breaks an exchange."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.context.blocks import begins, exchanges
from linnet.messages import Message, Role, ToolCall

SIZES = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=4), min_size=1, max_size=60)
ROLES: st.SearchStrategy[Role] = st.sampled_from(("user", "assistant", "tool", "system"))


def test_an_exchange_is_a_users_message_and_what_followed() -> None:
    call = Message("assistant", "", calls=(ToolCall("add", {}),))
    said = [Message("user", "a"), call, Message("tool", "3"), Message("assistant", "3"), Message("user", "b")]
    assert exchanges(said) == [tuple(said[:4]), tuple(said[4:])]
    assert exchanges([Message("assistant", "hello"), *said])[0] == (Message("assistant", "hello"),)
    assert exchanges([]) == []


@given(st.lists(ROLES, max_size=30))
def test_exchanges_are_the_whole_and_no_result_leaves_its_call(roles: list[Role]) -> None:
    messages = [Message(role, str(i)) for i, role in enumerate(roles)]
    groups = exchanges(messages)
    assert [message for group in groups for message in group] == messages
    assert all(group[0].role == "user" for group in groups[1:])
    assert all(message.role != "user" for group in groups for message in group[1:])


def test_nothing_moves_while_there_is_room() -> None:
    assert begins([[10], [10], [10]], 30, 15) == [0]


def test_the_oldest_leave_in_blocks() -> None:
    tens = [[5, 5]] * 12
    assert begins(tens, 50, 25) == [0, 3, 6, 9]
    assert begins(tens, 50, 50) == [0, 1, 2, 3, 4, 5, 6, 7], "one by one, if nothing more is asked"


def test_the_last_ones_stay_if_they_fit() -> None:
    assert begins([[10], [10], [20], [15]], 50, 20, whole=0) == [0, 3]
    assert begins([[10], [10], [20], [15]], 50, 20, whole=1) == [0, 2]
    assert begins([[10], [10], [20], [60]], 50, 20, whole=2) == [0, 3], "not if they do not"


def test_the_newest_stays_in_any_case() -> None:
    assert begins([[10], [99]], 50, 25) == [0, 1]
    assert begins([[99]], 50, 25) == [0]
    assert begins([[1], [1]], 0, 0) == [0, 1]


@given(SIZES, st.integers(0, 200), st.integers(0, 200), st.integers(0, 3))
def test_what_is_in_the_window_fits(sizes: list[list[int]], most: int, least: int, whole: int) -> None:
    found = begins(sizes, most, min(most, least), whole)
    assert found == sorted(set(found)) and found[0] == 0 and found[-1] < len(sizes)
    inside = sizes[found[-1] :]
    assert sum(map(sum, inside)) <= most or len(inside) == 1


@given(SIZES, st.integers(0, 200), st.integers(0, 200), st.integers(0, 3), st.data())
def test_a_longer_conversation_goes_on_from_the_shorter(
    sizes: list[list[int]], most: int, least: int, whole: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(sizes)))
    part = data.draw(st.integers(1, len(sizes[cut - 1])))
    shorter = [*sizes[: cut - 1], sizes[cut - 1][:part]]
    earlier, later = (begins(s, most, min(most, least), whole) for s in (shorter, sizes))
    assert later[: len(earlier)] == earlier


@given(SIZES, st.integers(0, 200), st.integers(0, 3))
def test_the_last_exchanges_are_whole_if_they_fit(sizes: list[list[int]], most: int, whole: int) -> None:
    first = begins(sizes, most, most // 2, whole)[-1]
    peaks = list(accumulate(map(sum, sizes[-whole - 1 :])))
    if peaks[-1] <= most:
        assert first <= max(0, len(sizes) - whole - 1)


@given(st.lists(st.lists(st.integers(1, 25), min_size=2, max_size=2), min_size=1, max_size=200))
def test_what_is_computed_is_bounded(sizes: list[list[int]]) -> None:
    """A turn computes what is new, or the whole window where that has moved; it moves seldom."""
    most, least, largest = 400, 200, 50
    turns = [begins([*sizes[:i], sizes[i][:1]], most, least) for i in range(len(sizes))]
    new = sum(map(sum, sizes))
    moves = len(turns[-1]) - 1
    computed = sum(
        sum(map(sum, sizes[turn[-1] : i])) + sizes[i][0] if i and turn[-1] != turns[i - 1][-1] else sum(sizes[i])
        for i, turn in enumerate(turns)
    )
    assert moves <= new // (most - least - largest)
    assert computed <= new + moves * (least + largest)
