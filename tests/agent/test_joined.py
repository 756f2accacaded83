"""An Agent whose parts are used together: cache, backup, router, guard, and an end that comes from outside."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.agent import Agent
from linnet.agent.events import Said
from linnet.agent.result import Result
from linnet.agent.router import Check, Intent, Router
from linnet.errors import Cancelled, EngineError, LinnetError
from linnet.requests import Capabilities, Count, Done, Event, Piece, Request, Usage
from linnet.tools import Rule, Tool, tool

NEVER = 1e9


class Canned:
    """A Model that says one text, or fails."""

    def __init__(self, text: str = "", error: LinnetError | None = None, name: str = "canned") -> None:
        self._text, self._error = text, error
        self.capabilities = Capabilities(name, 1_000)

    def answers_as(self) -> str:
        return self.capabilities.name

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count):
            return iter([Done(count=1)])
        if self._error:
            raise self._error
        return iter([Piece(self._text, (1,)), Done(self._text, usage=Usage(3, 0, 1))])


class Endless(Canned):
    """A Model whose answer never begins, and ends when its stream is closed from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def stream(self, request: Request) -> Iterator[Event]:
        return iter([Done(count=1)]) if isinstance(request, Count) else Waiting(self.freed)


class Waiting(Iterator[Event]):
    def __init__(self, freed: threading.Event) -> None:
        self._freed, self._end = freed, queue.SimpleQueue[None]()

    def __next__(self) -> Event:
        self._end.get(timeout=30)
        raise Cancelled("closed")

    def close(self) -> None:
        self._freed.set()
        self._end.put(None)


def agent(model: Any, *tools: Tool, **options: Any) -> Agent:
    return Agent(tools, model, margin=NEVER, **options)


BROKEN = EngineError("it is broken")


def test_a_backup_behind_a_cache(tmp_path: Path) -> None:
    with agent(Canned("Hello."), backup=Canned("Hi."), cache=tmp_path / "c.db") as both:
        assert [both.run("speak").how for _ in range(2)] == ["model", "cache"]
    with agent(Canned(error=BROKEN), backup=Canned("Hi.", name="spare"), cache=tmp_path / "c.db") as both:
        assert [both.run("talk").how for _ in range(2)] == ["fallback:spare"] * 2, "what stands in is not kept"


@pytest.mark.parametrize("around", ["nothing", "cache", "backup", "both"])
def test_a_closed_stream_frees_the_model_whatever_is_around_it(around: str, tmp_path: Path) -> None:
    model = Endless()
    options: dict[str, Any] = {"cache": tmp_path / "c.db"} if around in ("cache", "both") else {}
    options |= {"backup": Canned("Hi.")} if around in ("backup", "both") else {}
    stream = agent(model, **options).stream("speak")
    time.sleep(0.3)  # until the turn listens to the model
    stream.close()
    assert model.freed.wait(60)


def test_what_is_to_come_of_a_closed_agents_turn_does_not() -> None:
    began, go_on, ran = threading.Event(), threading.Event(), []

    @tool(rules=[Rule(prefix="work", to="what")])
    def work(what: str) -> str:
        """Works."""
        ran.append(what)
        began.set()
        go_on.wait(60)
        return what

    busy = agent(Canned("Hi."), work)
    stream = busy.stream("work a, then work b, then work c")
    assert began.wait(60)
    busy.close()
    go_on.set()
    with pytest.raises(LinnetError):
        list(stream)
    assert ran == ["a"]


def test_a_number_that_no_float_can_hold() -> None:
    @tool(rules=[Rule(prefix="big", to="what")])
    def big(what: str) -> dict[str, int]:
        """Big."""
        return {"n": 10**400}

    result = agent(Canned("There are 42 of them."), big).run("big x, then speak")
    assert result.error is None and len(result.calls) == 1


GREETING = Intent(
    "greeting",
    rules=[Rule(prefix="greet", to="who")],
    prompt="Say hello to {who}.",
    checks=[Check("short", longest=5)],
    otherwise="Hello!",
)


def test_a_refused_answer_is_not_said() -> None:
    events = list(agent(Canned("much too long"), router=Router(intents=[GREETING])).stream("greet Bob"))
    result = events[-1]
    assert isinstance(result, Result) and result.answer == "Hello!"
    assert "".join(event.text for event in events if isinstance(event, Said)) == "Hello!"


def test_how_is_that_of_the_part_furthest_from_code() -> None:
    hours = Intent("hours", rules=[Rule(prefix="hours", to="x")], answer="At eight.")
    mixed = agent(Canned("Hi."), router=Router(intents=[hours]))
    assert mixed.run("speak, then hours please").how == "model"
    assert mixed.run("hours please, then speak").how == "model"
    spare = agent(Canned(error=BROKEN), backup=Canned("Hi.", name="spare"))
    assert spare.run("What is 2 + 2?, then speak").how == "fallback:spare"


@pytest.mark.parametrize("where", [str, Path])
def test_a_memory_and_a_cache_of_ones_own(where: Any, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.db" for name in ("memory", "cache")}
    with agent(Canned("Hi."), **{name: where(path) for name, path in files.items()}) as own:
        own.run("Remember that I live in Bergen.")
    assert all(path.exists() for path in files.values())


@pytest.mark.parametrize(
    "options", [{"memory": 3}, {"cache": ""}, {"router": "cafe.npz"}, {"window": 5}, {"model": 3}, {"tools": [print]}]
)
def test_what_an_agent_cannot_be_made_of(options: dict[str, Any]) -> None:
    with pytest.raises(LinnetError):
        Agent(**{"model": Canned("Hi."), **options})


@pytest.mark.parametrize("text", [None, b"abc", 3])
def test_what_is_no_request(text: Any) -> None:
    with pytest.raises(LinnetError, match="a request is a text"):
        agent(Canned("Hi.")).run(text)
    (told,) = agent(Canned("Hi.")).run_many([text])
    assert told.how == "failed" and told.error and told.error["who"] == "caller"
