"""Choosing by likelihoods that the test makes up, and by evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.choose import CANDIDATES, NO_TOOL, Chooser, introduce, rank, support
from linnet.requests import Capabilities, Done, Event, Request, Score, Usage


class Judge:
    """Scores a request by a function of the prompt's text."""

    capabilities = Capabilities("judge", 2048)

    def __init__(self, likelihood: Callable[[str], float]) -> None:
        self.likelihood, self.asked = likelihood, list[Score]()

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Score)
        self.asked.append(request)
        text = "".join(segment.text for segment in request.prompt)  # type: ignore[union-attr]  # never messages
        scores = tuple((self.likelihood(text), 1) for _ in request.continuations)
        return iter([Done(usage=Usage(prompt_tokens=3), scores=scores)])


def indifferent() -> Judge:
    return Judge(lambda text: 0.0)


def tool(name: str, description: str = "", **required: dict[str, Any]) -> Tool:
    return Tool.from_schema(name, description, {"properties": required, "required": list(required)})


NUMBER, UNITS = {"type": "number"}, {"enum": ["miles", "feet"]}


def test_the_likelier_tool_is_chosen() -> None:
    tools = [tool("first"), tool("second")]
    judge = Judge(lambda text: 30.0 if "second" in text else 0.0)
    chosen = Chooser(tools).choose(judge, "zzz")
    assert chosen.tool is tools[1] and [c.tool.name for c in chosen.ranked] == ["second", "first"]
    assert chosen.ranked[0].gain == 30 and chosen.usage == Usage(prompt_tokens=9)


def test_none_is_chosen_when_no_tool_explains_the_request_better() -> None:
    assert Chooser([tool("first")]).choose(Judge(lambda t: 30.0 if t == NO_TOOL else 0.0), "zzz").tool is None
    assert Chooser([]).choose(indifferent(), "zzz").tool is None


def test_the_margin_decides() -> None:
    judge, tools = indifferent(), [tool("first")]
    score = Chooser(tools).choose(judge, "zzz").ranked[0].score
    assert Chooser(tools, margin=score).choose(judge, "zzz").tool is None
    assert Chooser(tools, margin=score - 1e-9).choose(judge, "zzz").tool is tools[0]


def test_the_request_is_heard_untrusted_and_cut() -> None:
    judge = indifferent()
    rank(judge, [tool("first")], "a \n b " * 1_000)
    assert {score.continuations[0][:8] for score in judge.asked} == {" a b a b"}
    assert all(len(score.continuations[0]) <= 601 for score in judge.asked)
    assert not any(getattr(part, "trusted", True) for score in judge.asked for part in score.prompt)


@pytest.mark.parametrize("request_text", ["", "   ", "?!.", "\\ \" ' {", "明日の天気"])
def test_odd_requests_do_no_harm(request_text: str) -> None:
    assert len(Chooser([tool("first", n=NUMBER)]).choose(indifferent(), request_text).ranked) == 1


@pytest.mark.parametrize("count", [CANDIDATES + 1, 2 * CANDIDATES, 3 * CANDIDATES])
def test_the_last_of_many_tools_is_judged_when_its_words_match(count: int) -> None:
    tools = [*(tool(f"noise{i}", "Does a thing.") for i in range(count - 1)), tool("dice", "Rolls dice.")]
    chosen = Chooser(tools).choose(indifferent(), "roll the dice")
    assert len(chosen.ranked) == CANDIDATES and chosen.ranked[0].tool is tools[-1]


def test_evidence_for_arguments_makes_a_candidate() -> None:
    tools = [*(tool(f"noise{i}", x=UNITS) for i in range(6)), tool("sum", a=NUMBER, b=NUMBER)]
    ranked = Chooser(tools).choose(indifferent(), "3 and 4").ranked
    assert ranked[0].tool.name == "sum" and (ranked[0].supported, ranked[0].unsupported) == (2, 0)


@pytest.mark.parametrize(
    ("required", "request_text", "expected"),
    [
        ({}, "5 miles", (0, 0)),
        ({"a": NUMBER}, "5 miles", (1, 0)),
        ({"a": NUMBER, "b": NUMBER}, "5 miles", (1, 1)),
        ({"a": UNITS}, "5 miles", (1, 0)),
        ({"a": UNITS}, "5 inches", (0, 1)),
        ({"a": {"enum": [1, 2]}}, "5 miles", (0, 0)),
        ({"a": {"type": "string", "enum": []}}, "5 miles", (0, 0)),
        ({"when": {"type": "string"}}, "tomorrow", (1, 0)),
        ({"when": {"type": "string"}}, "never", (0, 0)),
        ({"path": {"type": "string"}}, "read a.txt", (1, 0)),
        ({"items": {"type": "array", "items": True}}, "eggs, milk and tea", (1, 0)),
    ],
)
def test_support(required: dict[str, Any], request_text: str, expected: tuple[int, int]) -> None:
    assert support(tool("t", **required), request_text) == expected


def test_an_introduction_has_names_and_description() -> None:
    text = introduce(tool("mail.send_now", "Sends it.", to={"type": "string"}, copies=NUMBER))
    assert text == "Function: mail send now(to, copies)\nSends it.\nUser request:"
