"""A Talk: what was said, what is asked again, and a model that changes in the midst of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from linnet import Agent
from linnet.agent.result import Result
from linnet.errors import EngineError, InputInvalid, LinnetError, ModelNotFound, OutOfMemory
from linnet.interfaces.cli.chat.talk import Talk
from linnet.messages import Message


def turn(talk: Talk, text: str = "") -> Result:
    for event in talk.ask(text) if text else talk.ask_again():
        if isinstance(event, Result):
            talk.answered(event)
            return event
    raise AssertionError("no result")


def said(talk: Talk) -> list[str]:
    return [message.content for message in talk.history]


def test_asking_again_replaces_the_answer_and_only_once_there_is_another(talk_over: Any, says: Any) -> None:
    model = says("one")
    talk = talk_over(model)
    turn(talk, " first ")
    turn(talk, "second")
    model.pieces = ("two",)
    turn(talk)
    assert said(talk) == ["first", "one", "second", "two"]
    model.error = EngineError("broken")
    with pytest.raises(EngineError):
        turn(talk)
    assert said(talk) == ["first", "one", "second", "two"]
    with pytest.raises(EngineError):
        turn(talk, "third")
    model.error = None
    turn(talk)
    assert said(talk) == ["first", "one", "second", "two", "third", "two"], (
        "what failed was not said, and can be asked"
    )


def test_nothing_to_ask_again(talk_over: Any, says: Any) -> None:
    with pytest.raises(InputInvalid, match="nothing was asked"):
        talk_over(says("x")).ask_again()


def test_a_request_at_fault_is_as_if_it_was_not_asked(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("x"))
    turn(talk, "first")
    with pytest.raises(LinnetError):
        talk.ask("a" * 10_000_000)
    assert talk.asked == "first"


def test_another_model_goes_on_with_the_conversation(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("one"))
    turn(talk, "first")
    talk.change("other")
    assert turn(talk, "second").answer == "other"
    assert said(talk) == ["first", "one", "second", "other"]


def test_what_was_loaded_can_be_asked_again(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("new"))
    talk.begin([Message("user", "a"), Message("assistant", "old")])
    turn(talk)
    assert said(talk) == ["a", "new"]


def opener(says: Any, fails: dict[str, list[LinnetError]]) -> tuple[Callable[[str | None], Agent], list[Agent]]:
    opened: list[Agent] = []

    def opens(name: str | None) -> Agent:
        if fails.get(name or ""):
            raise fails[name or ""].pop(0)
        opened.append(Agent((), says(name or "default")))
        return opened[-1]

    return opens, opened


def test_a_model_that_is_not_there_changes_nothing(says: Any) -> None:
    opens, opened = opener(says, {"nope": [ModelNotFound("no such model")]})
    with Talk(opens) as talk:
        with pytest.raises(ModelNotFound):
            talk.change("nope")
        assert talk.agent is opened[0] and turn(talk, "hi").answer == "default"


def test_the_old_model_makes_room_and_comes_back_where_that_was_not_enough(says: Any) -> None:
    opens, opened = opener(says, {"big": [OutOfMemory("no room")], "huge": [OutOfMemory("no room")] * 2})
    with Talk(opens) as talk:
        talk.change("big")
        with pytest.raises(LinnetError, match="closed"):
            opened[0].run("hi")
        assert turn(talk, "hi").answer == "big"
        with pytest.raises(OutOfMemory):
            talk.change("huge")
        assert len(opened) == 3 and turn(talk, "hi").answer == "big"
