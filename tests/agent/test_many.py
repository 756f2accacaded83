"""run_many: results in order, errors as values, tools in order where that is wanted, a watcher that stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from linnet.agent.agent import Agent
from linnet.agent.events import TurnEvent
from linnet.agent.result import Result
from linnet.errors import RequestError, SettingsInvalid, StorageFull
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.requests import Capabilities, Count, Done, Event, Request, Score
from linnet.tools import Permission, Rule, tool


class Words:
    """A Model that takes its time and says the last word that it hears."""

    capabilities = Capabilities("words", 1000)

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self.closed = 0

    def stream(self, request: Request) -> Iterator[Event]:
        try:
            time.sleep(self._seconds)
            if isinstance(request, Count):
                yield Done(count=1)
            elif isinstance(request, Score):
                yield Done(scores=tuple((-1.0, 1) for _ in request.continuations))
            else:
                yield Done(text=request.prompt[-1].content.split()[-1])  # type: ignore[union-attr]
        finally:
            self.closed += 1


def agent(*tools: object, **options: object) -> Agent:
    """Without the calculator: what no rule answers is said by the model."""
    made = Agent(tools, Words(0.002), **options)  # type: ignore[arg-type]
    made._tools = tuple(t for t in made._tools if t.name != "calculator")
    return made


def test_results_have_the_order_of_the_requests() -> None:
    texts = [f"say {i}" for i in range(40)]
    assert [result.answer for result in agent().run_many(texts)] == [str(i) for i in range(40)]


def test_what_fails_is_a_result_and_spoils_nothing() -> None:
    texts = ["say one", " ", "x" * (LIMITS.request_bytes + 1), "say two"]
    one, empty, large, two = agent().run_many(texts)
    assert (one.answer, two.answer) == ("one", "two")
    assert (empty.how, empty.error and empty.error["code"], empty.exit_code) == ("failed", "empty_request", 2)
    assert (large.how, large.error and large.error["code"], large.exit_code) == ("failed", "request_too_large", 4)


def test_a_fault_of_linnet_is_a_result_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Words, request: Request) -> Iterator[Event]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Words, "stream", broken)
    (result,) = agent().run_many(["say one"])
    assert result.error and result.error["message"] == "unexpected ZeroDivisionError: oh"


def test_a_closed_agent_and_numbers_that_cannot_be() -> None:
    one = agent()
    for at_once in (0, LIMITS.queue + 1):
        with pytest.raises(SettingsInvalid):
            one.run_many(["say one"], at_once=at_once)
    one.close()
    (result,) = one.run_many(["say one"])
    assert result.error and "closed" in result.error["message"]


def test_no_more_at_once_than_said() -> None:
    lock, now, most = threading.Lock(), 0, 0

    @tool(rules=[Rule(prefix="count", to="what")])
    def counting(what: str) -> str:
        """Counts."""
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return what

    results = list(agent(counting).run_many([f"count {i}" for i in range(24)], at_once=3))
    assert [result.answer for result in results] == [str(i) for i in range(24)]
    assert 2 <= most <= 3


def test_permissions_are_those_of_run() -> None:
    @tool(permissions=[Permission.NETWORK], rules=[Rule(prefix="fetch", to="page")])
    def fetch(page: str) -> str:
        """Fetches."""
        return page

    (denied,) = agent(fetch).run_many(["fetch it"])
    assert denied.error and denied.error["code"] == "tool_denied"
    (given,) = agent(fetch, allow=["network"]).run_many(["fetch it"])
    assert given.answer == "it"


def test_tools_in_the_order_of_the_requests() -> None:
    ran: list[str] = []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes."""
        ran.append(what)
        return what

    texts = [f"say slow{i}, then note {i}" if i % 3 == 0 else f"note {i}" for i in range(30)]
    results = list(agent(note).run_many(texts, at_once=6, tools_in_order=True))
    assert ran == [str(i) for i in range(30)]
    assert all(result.error is None for result in results)


def test_the_watcher_sees_calls_before_they_are_made_and_each_result() -> None:
    seen: list[tuple[int, TurnEvent]] = []
    ran: list[str] = []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes."""
        assert any(n == int(what) and isinstance(event, ToolCall) for n, event in seen)
        ran.append(what)
        return what

    results = list(agent(note).run_many([f"note {i}" for i in range(6)], watch=lambda n, e: seen.append((n, e))))
    assert [result.error for result in results] == [None] * 6
    assert sorted(ran) == [str(i) for i in range(6)]
    assert sorted(n for n, event in seen if isinstance(event, Result)) == list(range(6))


def test_a_watcher_that_fails_stops_all_before_another_tool_runs() -> None:
    ran: list[str] = []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes."""
        ran.append(what)
        return what

    def full(number: int, event: TurnEvent) -> None:
        if number == 2 and isinstance(event, ToolCall):
            raise StorageFull("no room")

    with pytest.raises(StorageFull):
        list(agent(note).run_many([f"note {i}" for i in range(50)], at_once=1, watch=full))
    assert ran == ["0", "1"]


def test_a_watcher_that_fails_at_a_result_is_heard() -> None:
    taken = threading.Event()

    def full(number: int, event: TurnEvent) -> None:
        if number == 1 and isinstance(event, Result):
            assert taken.wait(60)
            raise StorageFull("no room")

    results = agent().run_many([f"say {i}" for i in range(20)], at_once=2, watch=full)
    assert next(results).answer == "0"
    taken.set()
    with pytest.raises(StorageFull):
        list(results)


def test_one_text_is_not_many() -> None:
    with pytest.raises(RequestError, match="given one text"):
        agent().run_many("say one")


def test_closing_ends_all_turns_and_tells_nobody_of_them() -> None:
    told: list[int] = []
    one = Agent((), Words(0.05))
    results = one.run_many([f"say {i}" for i in range(50)], at_once=4, watch=lambda n, e: told.append(n))
    next(results)
    results.close()  # type: ignore[attr-defined]
    before = len(told)
    time.sleep(0.3)
    assert len(told) <= before + 4
    assert max(told) < 12
