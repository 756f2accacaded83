"""The budget: sections that together are the window, and bars to scale that fit the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.interfaces.cli.chat.budget import Section, bars, sections

SIZES = {"window": 1000, "room": 375, "answer": 500, "system": 20, "tools": 0, "memory": 30, "older": 0}


def test_all_sections_together_are_the_window() -> None:
    found = {s.name: s.tokens for s in sections({**SIZES, "history": 200, "request": 10})}
    assert found == {
        "system": 20, "tools": 0, "memory": 30, "history": 200, "request": 10,
        "answer": 500, "choosing": 125, "free": 115,
    }  # fmt: skip
    assert sum(found.values()) == 1000


def test_what_is_not_there_is_left_out_but_for_the_five() -> None:
    found = sections({"window": 100, "room": 50, "answer": 50, "system": 60})
    assert [s.name for s in found] == ["system", "tools", "memory", "history", "answer", "free"]
    assert found[-1].tokens == 0


@pytest.mark.parametrize("width", [20, 80, 300])
@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_bars_are_to_scale_and_what_is_there_is_seen(width: int, counts: list[int]) -> None:
    window = max(1, sum(counts))
    lines = [line.plain for line in bars([Section("history", n) for n in counts], window, width)]
    assert len({len(line) for line in lines}) == 1 and len(lines[0]) <= max(80, 36)
    for count, line in zip(counts, lines, strict=True):
        drawn = line.count("█")
        assert (drawn > 0) == (count > 0)
        room = len(line) - 26
        assert abs(drawn - count * room / window) <= 1


def test_each_bar_begins_where_the_last_one_ended() -> None:
    first, second = (line.plain[26:] for line in bars([Section("a", 50), Section("b", 50)], 100, 80))
    assert first == "█" * 20 + "·" * 20 and second == "·" * 20 + "█" * 20
