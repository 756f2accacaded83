"""The guard: the same call is the same name with the same arguments, in whatever order."""

from __future__ import annotations

import pytest

from linnet.agent.guard import Guard
from linnet.messages import ToolCall


def test_the_same_call_twice() -> None:
    guard = Guard()
    assert not guard.repeats(ToolCall("add", {"a": 1, "b": [2, {"c": 3}]}, id="call-1", how="rule"))
    assert guard.repeats(ToolCall("add", {"b": [2, {"c": 3}], "a": 1}, id="call-2", how="model"))
    assert guard.repeats(ToolCall("add", {"a": 1, "b": [2, {"c": 3}]}))


def test_another_name_or_argument_is_another_call() -> None:
    guard = Guard()
    calls = [
        ToolCall("add", {"a": 1}),
        ToolCall("add", {"a": "1"}),
        ToolCall("add", {"a": None}),
        ToolCall("add", {"a": True}),
        ToolCall("add", {}),
        ToolCall("subtract", {"a": 1}),
        ToolCall("add", {"a": "\ud800"}),
        ToolCall("add", {"a": float("nan")}),
    ]
    assert [guard.repeats(call) for call in calls] == [False] * len(calls)
    assert [guard.repeats(call) for call in calls] == [True] * len(calls)


def test_each_turn_has_its_own() -> None:
    call = ToolCall("add", {"a": 1})
    assert [Guard().repeats(call), Guard().repeats(call)] == [False, False]


# --- words over and over -------------------------------------------------------------------------


@pytest.mark.parametrize("passage", ["the bard's! ", "It is a mix of both. " * 5, "x" * 199 + " "])
def test_a_passage_four_times_in_a_row_is_a_loop(passage: str) -> None:
    assert Guard.loops("At first something else. " + passage * 4)
    assert not Guard.loops(passage.replace("x", "xyz") + "and something new at the end")


@pytest.mark.parametrize(
    "text",
    ["", "word", "word " * 2, "It is a mix of both. " * 3, "".join(f"{i}. An apple and a pear\n" for i in range(99))],
)
def test_what_is_no_loop(text: str) -> None:
    assert not Guard.loops(text)


@pytest.mark.parametrize("ruled", ["-" * 120, "| --- | --- | " * 9, "\n" * 80])
def test_a_ruled_line_is_no_loop(ruled: str) -> None:
    assert not Guard.loops("Prices:\n" + ruled)
