"""Does a model understand tools: what is counted, and what is advised for which fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from linnet import Tool
from linnet.errors import ToolFailed
from linnet.evals import toolcheck
from linnet.evals.toolcheck import ERROR, NONE, SEVERAL, alike, check, matrix, report
from linnet.messages import ToolCall
from linnet.requests import Usage

COUNT = {"properties": {"count": {"type": "integer", "description": "How many."}}, "required": ["count"]}
FEED = Tool.from_schema("feed", "Feed the hens in the yard.", COUNT)
SELL = Tool.from_schema("sell", "Sell eggs to a customer.", COUNT)

Answer = Callable[[str], Sequence[ToolCall]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """`tried(answer, tool, ...)`: a check in which `answer(request)` stands for the model and its guide."""

    def make(answer: Answer, *tools: Tool, per_tool: int = 4) -> list[Any]:
        guide = SimpleNamespace(call=lambda text: SimpleNamespace(calls=tuple(answer(text)), usage=Usage(7)))
        monkeypatch.setattr(toolcheck, "Guide", lambda model, tools, margin, trust: guide)
        return list(check(None, tools, per_tool=per_tool))

    return make


def number_in(text: str) -> int:
    return int(
        next(word for word in text.replace("?", "").replace(".", "").replace(",", "").split() if word.isdigit())
    )


def understands(text: str) -> list[ToolCall]:
    name = "feed" if "feed" in text.lower() else "sell" if "sell" in text.lower() else ""
    return [ToolCall(name, {"count": number_in(text)})] if name else []


def test_a_model_that_understands_all(tried: Callable[..., list[Any]]) -> None:
    found = report([FEED, SELL], tried(understands, FEED, SELL))
    assert found["share"] == 1 and found["of"] == 8 + len(toolcheck.probes([], 1))
    assert found["matrix"]["feed"] == {"feed": 4} and list(found["matrix"][NONE]) == [NONE]
    assert [told["right"] for told in found["parameters"]] == [4, 4]
    assert found["advice"] == []


@pytest.mark.parametrize(
    ("answer", "called", "advice"),
    [
        (lambda text: [], NONE, "sell: 4 of 4 requests for it led to no call"),
        (lambda text: [ToolCall("feed", {"count": 1})], "feed", "sell: 4 of 4 requests for it led to feed"),
        (lambda text: 2 * [ToolCall("sell", {"count": 1})], SEVERAL, "sell: 4 of 4 requests for it led to several"),
    ],
)
def test_confusions(tried: Callable[..., list[Any]], answer: Answer, called: str, advice: str) -> None:
    done = tried(answer, FEED, SELL)
    assert matrix(done)["sell"] == {called: 4}
    assert any(line.startswith(advice) for line in report([FEED, SELL], done)["advice"])


def test_a_tool_that_is_called_for_nothing(tried: Callable[..., list[Any]]) -> None:
    done = tried(lambda text: [ToolCall("sell", {"count": 1})], SELL)
    advice = report([SELL], done)["advice"]
    assert any("that want no tool" in line and line.startswith("sell") for line in advice)


def test_errors_are_counted(tried: Callable[..., list[Any]]) -> None:
    def fail(text: str) -> list[ToolCall]:
        raise ToolFailed("told to")

    done = tried(fail, SELL)
    assert matrix(done)["sell"] == {ERROR: 4} and report([SELL], done)["right"] == 0
    assert done[0].describe()["error"]["message"] == "told to"


def test_arguments_never_filled_and_wrongly_filled(tried: Callable[..., list[Any]]) -> None:
    done = tried(lambda text: [ToolCall("sell", {})] if "sell" in text.lower() else [], SELL)
    found = report([SELL], done)
    assert found["matrix"]["sell"] == {"sell": 4} and found["right"] == found["of"] - 4
    assert found["advice"] == [
        "sell.count was never filled, though 4 requests named it. Describe it in words people use."
    ]
    found = report([SELL], tried(lambda text: [ToolCall("sell", {"count": -1})], SELL))
    (told,) = found["parameters"]
    assert (told["named"], told["filled"], told["right"], told["example"]["got"]) == (4, 4, 0, -1)
    assert any(
        line.startswith("sell.count was filled wrongly 4 of 4 times, such as -1 for") for line in found["advice"]
    )


def test_an_example_is_judged_by_its_tool_alone(tried: Callable[..., list[Any]]) -> None:
    tool = Tool.from_schema("sell", "Sell eggs to a customer.", COUNT, examples=("six eggs for Tom",))
    done = tried(lambda text: [ToolCall("sell", {"count": 6})] if "eggs" in text else [], tool, per_tool=2)
    assert done[0].probe.form == "example" and done[0].right


def test_descriptions_by_themselves() -> None:
    same = Tool.from_schema("vend", "Sell eggs to a new customer.", COUNT)
    bare = Tool.from_schema(
        "get_news", "Get news", {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    )
    advice = report([SELL, same, FEED, bare], [])["advice"]
    assert advice == [
        "get_news: its description says nothing beyond its name. Say in a sentence what it does.",
        "get_news: a and b have no description.",
        "sell and vend have nearly the same description (83% of the words). Say in each what the other does not do.",
    ]
    assert [(a.name, b.name) for a, b, _ in alike([SELL, FEED, same])] == [("sell", "vend")]
