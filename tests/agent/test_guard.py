"""The guard: the same call is the same name with the same arguments, in whatever order."""

from __future__ import annotations

from typing import Any

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


def objections(*calls: ToolCall) -> list[str]:
    guard = Guard()
    return [guard.objection(call) for call in calls]


def search(text: str, **more: Any) -> ToolCall:
    return ToolCall("search", {"text": text, **more})


def test_the_same_call_is_made_once() -> None:
    assert objections(search("a"), search("a")) == ["", "the call of search was asked for twice and made once"]


def test_one_that_is_all_but_the_same_is_made_twice() -> None:
    calls = [
        search("Weather in Paris"),
        search("the Paris weather"),
        search("paris, WEATHER!"),
        search("paris weather?"),
    ]
    told = objections(*calls)
    assert told[:2] == ["", ""]
    assert all("all but the same" in why for why in told[2:])


@pytest.mark.parametrize(
    "calls",
    [
        [search("milk"), search("bread"), search("eggs"), search("butter")],
        [search("page 1"), search("page 2"), search("page 3")],
        [search("Anna"), search("Anne"), search("Anni")],
        [search("x", n=1), search("x", n=2), search("x", n=3)],
        [search("?"), search("!"), search("??")],
        [search("in"), search("on"), search("at")],
    ],
)
def test_other_calls_are_other_calls(calls: list[ToolCall]) -> None:
    assert objections(*calls) == [""] * len(calls)


def test_a_number_is_the_same_however_it_is_written() -> None:
    calls = [search("x", n=1), search("x!", n=1.0), search("x?", n=1)]
    assert "all but the same" in objections(*calls)[2]


def test_a_round_of_calls_is_not_gone_through_twice() -> None:
    a, b, c = search("first page"), search("second page"), search("third page")
    again = [search("First page."), search("Second page."), search("Third page.")]
    told = objections(a, b, again[0], again[1])
    assert told[:3] == ["", "", ""] and told[3].startswith("the last 2 calls")
    told = objections(a, b, c, *again)
    assert told[:5] == [""] * 5 and told[5].startswith("the last 3 calls")


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


def test_the_same_phrases_in_other_orders_are_stale() -> None:
    said = ["a gentle rain falls ", "on the quiet town ", "and the river sings "]
    text = "".join(said[n * n % 3] + said[n % 3] for n in range(30))
    assert Guard.stale(text)
    assert not Guard.stale(text[:400])


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"{n}" for n in range(300)),
        "\n".join(f"{n} times 7 is {7 * n}." for n in range(60)),
        "\n".join(f"| {n} | item {n} | {n * 3} euros |" for n in range(60)),
        " ".join(f"word{n * n % 97}" for n in range(300)),
    ],
)
def test_counting_and_tables_are_not(text: str) -> None:
    assert not Guard.stale(text)


@pytest.mark.parametrize(
    ("text", "thinks"),
    [
        ("<think>well", True),
        ("\n<think>\nwell", True),
        ("[THINK]well", True),
        ("<|channel>thought well", True),
        ("<think>well</think>so", False),
        ("[THINK]well[/THINK]so", False),
        ("I think <think>", False),
        ("", False),
    ],
)
def test_a_thought_without_an_end(text: str, thinks: bool) -> None:
    assert Guard.thinks(text) == thinks


def test_when_an_answer_is_stopped() -> None:
    assert Guard.runaway("It is a mix of both. " * 4) == "it repeated itself"
    assert Guard.runaway("<think>well, so", 0.75) == ""
    assert Guard.runaway("<think>well, so", 0.76) == "it thought without coming to an answer"
    assert Guard.runaway("All is well.", 0.99) == ""


def test_a_long_passage_over_and_over_is_a_loop() -> None:
    passage = " ".join(f"The {word} is a part of the story that nobody has told before." for word in WORDS)
    assert 200 < len(passage) < 800
    assert Guard.loops(passage * 3)
    assert not Guard.loops(passage * 2)
    assert not Guard.loops(passage + passage.replace("nobody", "somebody") + passage)


WORDS = "river stone letter morning garden window".split()
