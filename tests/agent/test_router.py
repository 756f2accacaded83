"""The router: the first tool with a rule for the whole request decides, and says why."""

from __future__ import annotations

import pytest

from linnet.agent.router import Router
from linnet.errors import ToolInvalid
from linnet.tools import Rule, Tool, tool


def _saying(name: str, *rules: Rule) -> Tool:
    @tool(name=name, rules=rules)
    def said(text: str = "", times: int = 1) -> str:
        """Says a text."""
        return text * times

    return said


HELLO = _saying("hello", Rule(pattern=r"say (?P<text>\w+)(?: (?P<times>\d+) times)?"))
ECHO = _saying("echo", Rule(prefix="echo:", to="text"), Rule(pattern=r"say (?P<text>.*)"))


def test_no_rule_no_decision() -> None:
    assert Router([HELLO, ECHO]).decide("Sing!") is None
    assert Router([]).decide("say hi") is None
    assert Router([_saying("mute")]).decide("say hi") is None


def test_the_first_tool_decides() -> None:
    for tools, name in (([HELLO, ECHO], "hello"), ([ECHO, HELLO], "echo")):
        decision = Router(tools).decide("say hi")
        assert decision is not None
        assert (decision.tool.name, decision.arguments) == (name, {"text": "hi"})
        assert decision.why == f"a rule of {name} matches"


def test_a_rule_wants_the_whole_request() -> None:
    decision = Router([HELLO, ECHO]).decide("say hi to all of them")
    assert decision is not None
    assert (decision.tool.name, decision.arguments) == ("echo", {"text": "hi to all of them"})


def test_arguments_have_the_types_of_the_tool() -> None:
    decision = Router([HELLO]).decide("SAY hi 3 times")
    assert decision is not None
    assert decision.arguments == {"text": "hi", "times": 3}


def test_a_rule_that_fails_is_its_authors_error() -> None:
    def extract(text: str) -> dict[str, str]:
        raise KeyError(text)

    with pytest.raises(ToolInvalid, match="a rule of broken failed with KeyError: 'hi'") as caught:
        Router([_saying("broken", Rule(extract=extract))]).decide("hi")
    assert caught.value.who == "tool author"
