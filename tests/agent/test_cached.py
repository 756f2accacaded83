"""Models around Models that remember: the same request only, whole answers only, and every hit is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.agent import Agent
from linnet.agent.cache import Cache
from linnet.agent.cached import Cached, normal
from linnet.errors import Cancelled, SettingsInvalid
from linnet.messages import Message, ToolSpec
from linnet.requests import (
    Capabilities,
    Choice,
    Count,
    Done,
    Event,
    Generate,
    Piece,
    Request,
    Sampling,
    Score,
    Segment,
    Usage,
    complete,
)
from linnet.runtime.local import open_local

HELLO = Generate((Message("system", "Be kind.", trusted=True), Message("user", "Hello")))


class Numbered:
    """A Model that answers with the number of the request; `done` is what else is in its ends."""

    capabilities = Capabilities("numbered", 100)
    notes: tuple[str, ...] = ()

    def __init__(self, **done: Any) -> None:
        self.heard: list[Request] = []
        self.done = done
        self.said = "weights"

    def answers_as(self) -> str:
        return self.said

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        return self._events(str(len(self.heard)))

    def _events(self, text: str) -> Iterator[Event]:
        yield Piece(text, (1,))
        yield Done(text, usage=Usage(9, 0, 1), **{"degraded": self.notes, **self.done})


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache.db") as cache:
        yield cache


def test_the_same_request_is_answered_once(cache: Cache) -> None:
    model = Numbered(captures={"a": "b"}, scores=((-1.5, 2),), finish="constraint")
    first = complete(Cached(model, cache), HELLO)
    assert (first.text, first.cached, first.usage) == ("1", "", Usage(9, 0, 1))
    events = list(Cached(model, cache).stream(replace(HELLO, deadline=3.0)))
    assert events[0] == Piece("1", ())
    assert events[1:] == [replace(first, usage=Usage(), cached="exact")]
    assert len(model.heard) == 1


def test_scores_are_kept_and_counts_are_not(cache: Cache) -> None:
    model = Numbered()
    cached = Cached(model, cache)
    score, count = Score((Segment("a", False),), (" b",)), Count((Segment("a", False),))
    assert [complete(cached, score).text for _ in range(2)] == ["1", "1"]
    assert [complete(cached, count).text for _ in range(2)] == ["2", "3"]


@pytest.mark.parametrize(
    "other",
    [
        replace(HELLO, prompt=(*HELLO.prompt[:1], Message("user", "Hello!"))),
        replace(HELLO, prompt=(*HELLO.prompt[:1], Message("user", "Hello", trusted=True))),
        replace(HELLO, prompt=HELLO.prompt[1:]),
        replace(HELLO, sampling=Sampling(temperature=0.7)),
        replace(HELLO, sampling=Sampling(seed=1)),
        replace(HELLO, constraint=Choice(("a",))),
        replace(HELLO, stop=("a",)),
        replace(HELLO, max_tokens=3),
        replace(HELLO, answer_start="A"),
        replace(HELLO, tools=(ToolSpec("t"),)),
        replace(HELLO, template_options={"a": 1}),
        replace(HELLO, owner="somebody"),
        Score(HELLO.prompt, ("a",)),
    ],
)
def test_another_request_is_another_one(cache: Cache, other: Request) -> None:
    cached = Cached(Numbered(), cache)
    assert [complete(cached, request).text for request in (HELLO, other, HELLO, other)] == ["1", "2", "1", "2"]


def test_another_model_is_another_one(cache: Cache) -> None:
    model = Numbered()
    assert complete(Cached(model, cache), HELLO).text == "1"
    model.said = "other weights"
    assert complete(Cached(model, cache), HELLO).text == "2"
    assert complete(Cached(model, cache, digest="mine"), HELLO).text == "3"
    assert complete(Cached(model, cache, digest="mine"), HELLO).text == "3"


def test_a_template_with_a_date_is_another_one_each_day(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime

    class Family:
        template = "{{ strftime_now('%d') }}"

    model = Numbered()
    model.family = Family()  # type: ignore[attr-defined]
    assert [complete(Cached(model, cache), HELLO).text for _ in range(2)] == ["1", "1"]

    class Tomorrow(datetime.date):
        @classmethod
        def today(cls) -> Tomorrow:
            return cls(2031, 1, 1)

    monkeypatch.setattr(datetime, "date", Tomorrow)
    assert complete(Cached(model, cache), HELLO).text == "2"


def test_who_does_not_say_which_model_it_is(cache: Cache) -> None:
    class Nameless:
        capabilities = Capabilities("nameless", 100)

        def stream(self, request: Request) -> Iterator[Event]:
            yield Done()

    with pytest.raises(SettingsInvalid, match="which model"):
        Cached(Nameless(), cache)
    Cached(Nameless(), cache, digest="it")


@pytest.mark.parametrize("done", [{"finish": "length"}, {"degraded": ("resumed",)}, {"cached": "exact"}])
def test_what_is_not_whole_is_not_kept(cache: Cache, done: dict[str, Any]) -> None:
    cached = Cached(Numbered(**done), cache)
    assert [complete(cached, HELLO).text for _ in range(2)] == ["1", "2"]
    assert len(cache) == 0


def test_what_every_answer_tells_of_the_machine_is_no_fault_of_one(cache: Cache) -> None:
    model = Numbered()
    model.notes = ("on the CPU",)
    cached = Cached(model, cache)
    assert [complete(cached, HELLO).degraded for _ in range(2)] == [("on the CPU",)] * 2
    model.notes = ()
    assert complete(cached, HELLO).degraded == () and len(model.heard) == 1


def test_an_answer_that_is_not_heard_to_its_end_is_not_kept(cache: Cache) -> None:
    model = Numbered()
    events = Cached(model, cache).stream(HELLO)
    assert model.heard, "it is submitted at once"
    next(events)
    del events

    class Failing(Numbered):
        def _events(self, text: str) -> Iterator[Event]:
            raise Cancelled("no")
            yield

    with pytest.raises(Cancelled):
        complete(Cached(Failing(), cache), HELLO)
    assert len(cache) == 0


def test_normalised_is_told(cache: Cache) -> None:
    cached = Cached(Numbered(), cache, normalised=True)

    def ask(text: str, before: str = "Be kind.") -> tuple[str, str]:
        done = complete(cached, Generate((Message("system", before, trusted=True), Message("user", text))))
        return done.text, done.cached

    assert ask("What is  HTTP?") == ("1", "")
    assert ask("what is http") == ("1", "normalised")
    assert ask("What is  HTTP?") == ("1", "exact")
    assert ask("what is http", "be kind.")[0] == "2", "all else must be the same"
    assert ask("what was http")[0] == "3"


def test_normal() -> None:
    assert normal("  Ｈello\n WORLD ?! ") == "hello world"
    assert normal("3.5") != normal("35") and normal("no") != normal("not")


def test_an_answer_that_is_none_is_removed(cache: Cache) -> None:
    model = Numbered()
    cached = Cached(model, cache)
    complete(cached, HELLO)
    key = cached._key(HELLO)
    for body in (b"{}", b"not json", b'{"text": "a", "done": {"text": 3, "more": 1}}'):
        cache.put(key, body)
        assert complete(cached, HELLO).cached == ""
    assert complete(cached, HELLO).cached == "exact"


def test_a_cache_at_fault_costs_no_answer_and_is_told(cache: Cache) -> None:
    cached = Cached(Numbered(), cache)
    cache.close()
    done = complete(cached, HELLO)
    assert (done.text, done.degraded) == ("1", ("the cache is closed",))


# --- with an agent ---------------------------------------------------------------------------------


def test_an_agent_tells_of_a_hit(tmp_path: Path) -> None:
    model = Numbered()
    for expected in ("model", "cache"):
        with Agent(model=model, cache=tmp_path / "c.db", only=["calculator"], margin=99.0) as agent:
            agent._guide = None
            result = agent.run("Why?")
            assert (result.answer, result.how, result.model) == ("1", expected, "numbered")
    assert result.usage == Usage()
    assert (result.steps[-1].kind, result.steps[-1].data) == ("cache", {"how": ["exact"]})
    assert result.steps[-1].detail == "1 of 1 answers of the model were remembered"


def test_the_real_model_is_asked_once(tmp_path: Path) -> None:
    with Agent(cache=tmp_path / "c.db", context=512, answer_tokens=60) as agent:
        first, second = (agent.run("What is the capital of France?") for _ in range(2))
        assert first.how == "model" and second.answer == first.answer
        assert not first.degraded, "else there is nothing to keep"
        assert second.how == "cache" and second.usage == Usage() and second.model == "smollm2-135m"


def test_a_model_is_its_weights_and_how_it_is_spoken_to() -> None:
    from linnet.settings import ModelSettings

    models = [open_local(context=512), open_local(context=256),
              open_local(context=512, models={"default": ModelSettings(temperature=0.5)})]  # fmt: skip
    names = [model.answers_as() for model in models]
    assert names[0].startswith(models[0].fingerprint()) and names[0] != names[2]
    for model in models:
        model.close()
