"""Guiding a model on another machine: picks, or JSON where it can be held to nothing, and a step that says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet.calling import choose
from linnet.calling.guided import Guide
from linnet.calling.profile import JSON, Profile, Way
from linnet.calling.ranking.ranker import Belief, Doubt, fitted
from linnet.calling.served import PICKS, Served, unheld
from linnet.calling.way import guide_for
from linnet.errors import (
    LinnetError,
    RemoteBusy,
    RemoteCut,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteUnsupported,
)
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Holes, Request, Score, Usage
from linnet.tools import Tool

REPEAT = Tool.from_schema("repeat", "Repeats.", {"properties": {"times": {"type": "number"}}, "required": ["times"]})


class Far:
    """Takes messages and forms, and writes 7, or a call of `repeat` in JSON where it is held to none."""

    def __init__(self, **can: Any) -> None:
        self.capabilities = replace(Capabilities("far", 2048, scores=False, rendered=False), **can)
        self.asked = list[Generate]()

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Generate)
        self.asked.append(request)
        usage = Usage(3, 0, 1)
        if isinstance(request.constraint, Holes):
            return iter([Done(captures={"value": "7"}, usage=usage)])
        if isinstance(request.constraint, Choice):
            return iter([Done("repeat", usage=usage)])
        return iter([Done('[{"name": "repeat", "arguments": {"times": 9}}]', usage=usage)])


def test_what_the_model_can_decides_the_way() -> None:
    assert isinstance(guide_for(Far(), [REPEAT], None), Served)
    assert isinstance(guide_for(Far(scores=True), [REPEAT], None), Served), "it takes no rendered prompts"
    assert isinstance(guide_for(Far(scores=True, rendered=True), [REPEAT], None), Guide)


def test_it_picks_and_says_so() -> None:
    model = Far()
    found = guide_for(model, [REPEAT], None, margin=-50.0).call("repeat it again and again")
    assert [call.arguments for call in found.calls] == [{"times": 7}]
    assert (found.steps[0].kind, found.steps[0].detail) == ("way", PICKS)
    assert all(request.constraint is not None for request in model.asked)


class Learning(Far):
    """It is known to give likelihoods once it was asked whether it does; `score` is what asking for them leads to."""

    def __init__(self, score: LinnetError | None = None) -> None:
        super().__init__()
        self.score, self.learned = score, 0

    def learn(self) -> str:
        self.learned += 1
        self.capabilities = replace(self.capabilities, scores=True)
        return "by a test"

    def stream(self, request: Request) -> Iterator[Event]:
        if not isinstance(request, Score):
            return super().stream(request)
        if self.score is not None:
            raise self.score
        return iter([Done(scores=((-1.0, 1),) * len(request.continuations), usage=Usage(2))])


@pytest.fixture
def doubting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence settles nothing."""
    weights = replace(fitted(), doubt=Doubt(), model={**fitted().model, "tool": Belief(0.0, 1.0)})
    monkeypatch.setattr(choose, "fitted", lambda: weights)


@pytest.mark.usefixtures("doubting")
def test_a_server_is_asked_for_likelihoods_once_it_is_known_to_give_them() -> None:
    model = Learning()
    wrapped = Learning()  # as a cache around it would be: not asked what the server has
    wrapped.capabilities = replace(wrapped.capabilities, scores=True)
    guide = guide_for(model, [REPEAT], None, margin=-50.0)
    assert model.learned == 0, "nothing is asked before there is a request"
    found = guide.over(wrapped).call("repeat it 7 times")
    assert [call.arguments for call in found.calls] == [{"times": 7}]
    assert found.steps[0].detail == "guided by likelihoods of its server: by a test"
    assert (model.learned, wrapped.learned, wrapped.asked) == (1, 0, [])


@pytest.mark.usefixtures("doubting")
@pytest.mark.parametrize("error", [RemoteRefused("no", status=400), RemoteUnsupported("part of a character")])
def test_where_likelihoods_are_not_told_it_picks(error: LinnetError) -> None:
    model = Learning(error)
    found = guide_for(model, [REPEAT], None, margin=-50.0).call("repeat it 7 times")
    assert [call.arguments for call in found.calls] == [{"times": 7}]
    assert error.message in found.steps[0].detail and found.steps[1].detail == PICKS
    assert [type(request.constraint) for request in model.asked] == [Choice]


@pytest.mark.usefixtures("doubting")
def test_a_server_that_is_down_is_not_asked_in_other_ways() -> None:
    model = Learning(RemoteBusy("later"))
    with pytest.raises(RemoteBusy):
        guide_for(model, [REPEAT], None, margin=-50.0).call("repeat it 7 times")
    assert not model.asked


def test_one_that_can_be_held_to_nothing_is_asked_for_json_at_once() -> None:
    model = Far(constraints=False)
    found = guide_for(model, [REPEAT], None).call("repeat it")
    assert [call.arguments for call in found.calls] == [{"times": 9}]
    assert "asked for calls as JSON" in found.steps[0].detail and len(model.asked) == 1


def test_a_profile_that_says_otherwise_is_followed() -> None:
    found = guide_for(Far(), [REPEAT], Profile(Way("native", JSON), "json")).call("repeat it")
    assert [call.how for call in found.calls] == ["native"] and [step.kind for step in found.steps] == ["native"]


def test_over_another_model_it_is_the_same_way() -> None:
    first, second = Far(), Far()
    guide_for(first, [REPEAT], None, margin=-50.0).over(second).call("repeat it again and again")
    assert not first.asked and second.asked


@pytest.mark.parametrize(
    ("error", "form"),
    [
        (RemoteRefused("no", status=400), True),
        (RemoteRefused("no", status=422), True),
        (RemoteFailed("no", status=501), True),
        (RemoteRefused("no", status=404), False),
        (RemoteFailed("no", status=500), False),
        (RemoteRefused("stopped by a filter"), False),
        (RemoteInvalid("prose", strayed=True), True),
        (RemoteInvalid("no protocol"), False),
        (RemoteCut("no room", strayed=True), True),
        (RemoteCut("gone"), False),
        (RemoteBusy("later"), False),
    ],
    ids=str,
)
def test_what_is_a_matter_of_form(error: LinnetError, form: bool) -> None:
    assert unheld(error) is form
