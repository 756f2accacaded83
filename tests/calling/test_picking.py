"""Guiding a model that gives no likelihoods: it is asked to pick, and only where evidence leaves doubt."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet import Tool
from linnet.calling import choose
from linnet.calling import fill as filling
from linnet.calling.choose import Chooser
from linnet.calling.fill import fill
from linnet.calling.picking import picked_value
from linnet.calling.ranking.ranker import Belief, Doubt, fitted
from linnet.errors import RemoteCut
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Holes, Request, Usage


class Picker:
    """Picks of the options what the test says, and takes neither scores nor rendered prompts."""

    capabilities = Capabilities("picker", 2048, scores=False)

    def __init__(self, pick: Callable[[tuple[str, ...]], str]) -> None:
        self.pick, self.asked = pick, list[Generate]()

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Generate) and all(hasattr(part, "role") for part in request.prompt)
        self.asked.append(request)
        if isinstance(request.constraint, Holes):
            return iter([Done(captures={"value": self.pick(())})])
        assert isinstance(request.constraint, Choice)
        return iter([Done(self.pick(request.constraint.options), usage=Usage(5, 0, 2))])


def tool(name: str, description: str = "", **required: Any) -> Tool:
    return Tool.from_schema(name, description, {"properties": required, "required": list(required)})


@pytest.fixture
def doubting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence settles nothing."""
    weights = replace(
        fitted(), doubt=Doubt(sure={"string": 1.1}), model={"tool": Belief(0.0, 1.0), "string": Belief(0.0, 1.0)}
    )
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    monkeypatch.setattr(filling, "fitted", lambda: weights)


@pytest.mark.usefixtures("doubting")
def test_the_tool_that_is_picked_is_the_first() -> None:
    tools = [tool("open_door", "Opens the door."), tool("open_window", "Opens the window.")]
    for name in ("open_door", "open_window"):
        model = Picker(lambda options, name=name: name)  # type: ignore[misc]
        chosen = Chooser(tools, margin=-20.0).choose(model, "open it")
        assert chosen.ranked[0].tool.name == name and chosen.asked
        assert chosen.usage == Usage(5, 0, 2)
        (asked,) = model.asked
        assert isinstance(asked.constraint, Choice)
        assert set(asked.constraint.options) == {"open_door", "open_window", "none"}


@pytest.mark.usefixtures("doubting")
def test_none_is_a_pick_too() -> None:
    tools = [tool("open_door", "Opens the door.")]
    assert Chooser(tools).choose(Picker(lambda options: "none"), "who wrote Hamlet?").picked == ()


def test_what_evidence_settles_is_not_asked() -> None:
    model = Picker(lambda options: pytest.fail("it was asked"))
    weather = tool("get_weather", "Get the weather of a city.", city={"type": "string", "description": "The city"})
    assert [made.name for made, _ in Chooser([weather]).choose(model, "What is the weather in Paris?").picked]


@pytest.mark.usefixtures("doubting")
def test_of_candidates_one_is_picked() -> None:
    text = 'rename "first" to "second"'
    rename = tool("rename", "Renames a file.", to={"type": "string"})
    for value in ("first", "second"):
        model = Picker(lambda options, value=value: value)  # type: ignore[misc]
        filled = fill(model, rename, text)
        assert (filled.arguments, filled.told, filled.asked) == ({"to": value}, {"to": "model"}, True)
        (asked,) = model.asked
        assert isinstance(asked.constraint, Choice) and {"first", "second"} <= set(asked.constraint.options)


def test_what_has_no_candidate_is_written_in_answer_to_a_message() -> None:
    model = Picker(lambda options: "7")
    count = tool("repeat", "Repeats.", times={"type": "number"})
    assert fill(model, count, "again and again").arguments == {"times": 7}
    assert isinstance(model.asked[0].constraint, Holes) and not model.asked[0].stable


@pytest.mark.usefixtures("doubting")
def test_a_long_option_has_room() -> None:
    options = ["word " * 60, "another " * 60]
    model = Picker(lambda given: given[0])
    assert picked_value(model, "Function: f", "a (text):", "text", options)[0] == options[0]
    assert model.asked[0].max_tokens > max(map(len, options))


@pytest.mark.parametrize(("strayed", "kept"), [(True, True), (False, False)])
def test_a_value_that_is_cut_stays_out_and_a_connection_that_is_cut_does_not(strayed: bool, kept: bool) -> None:
    def cut(options: tuple[str, ...]) -> str:
        raise RemoteCut("it was cut", strayed=strayed)

    count = tool("repeat", "Repeats.", times={"type": "number"})
    with contextlib.nullcontext() if kept else pytest.raises(RemoteCut):
        assert fill(Picker(cut), count, "again and again").arguments == {}
