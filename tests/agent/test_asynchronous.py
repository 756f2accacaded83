"""arun and astream: the loop goes on meanwhile, what is cancelled frees the engine, what is too much is refused."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from linnet.agent.agent import Agent
from linnet.agent.events import Said
from linnet.agent.result import Result
from linnet.errors import EmptyRequest, EngineError, QueueFull
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Count, Done, Event, Piece, Request
from linnet.runtime.local import LocalModel
from linnet.runtime.supervisor import Supervisor
from linnet.script import Say


class Over:
    capabilities = Capabilities("scripted", 1000)

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def stream(self, request: Request) -> Iterator[Event]:
        return iter([Done(count=1)]) if isinstance(request, Count) else self.supervisor.stream(request)


class Slow:
    """A Model that blocks its thread, as all Models may."""

    capabilities = Capabilities("slow", 1000)

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self._seconds, self._error = seconds, error
        self.now = self.most = 0

    def stream(self, request: Request) -> Iterator[Event]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            time.sleep(self._seconds)
            if self._error:
                raise self._error
            if not isinstance(request, Count):
                yield Piece("well", (1,))
            yield Done(text="well", count=1)
        finally:
            self.now -= 1


def words(model: object) -> Agent:
    made = Agent((), model)  # type: ignore[arg-type]
    made._tools = ()
    return made


async def freed(supervisor: Supervisor) -> None:
    """At once, but for a request that is being handed over at that moment."""
    async with asyncio.timeout(5):
        while supervisor._tickets:
            await asyncio.sleep(0.001)


def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    async def timed() -> Any:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(timed())


def test_a_result_and_its_events() -> None:
    async def work() -> None:
        agent = words(Slow())
        assert (await agent.arun("speak")).answer == "well"
        events = [event async for event in agent.astream("speak")]
        assert [event.text for event in events if isinstance(event, Said)] == ["well"]
        assert isinstance(events[-1], Result)

    within(10, work())


def test_a_request_at_fault_is_refused_at_once_and_what_fails_is_raised() -> None:
    async def work() -> None:
        with pytest.raises(EmptyRequest):
            words(Slow()).astream(" ")
        with pytest.raises(EngineError, match="broken"):
            await words(Slow(error=EngineError("broken"))).arun("speak")

    within(10, work())


def test_the_loop_ticks_on_while_models_block() -> None:
    async def work() -> None:
        gaps, running = [], True

        async def tick() -> None:
            while running:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - before)

        ticker = asyncio.create_task(tick())
        agent = words(Slow(0.3))
        results = await asyncio.gather(*(agent.arun("speak") for _ in range(8)))
        running = False
        await ticker
        assert len(results) == 8
        # Blocked, there would be none in 0.6 s; how many there are is for the machine to say.
        assert len(gaps) >= 10

    within(30, work())


def test_no_more_run_than_there_are_seats_and_no_more_wait_than_there_is_room() -> None:
    async def work() -> None:
        model = Slow(0.01)
        agent = words(model)
        streams = [agent.astream("speak") for _ in range(LIMITS.turns_waiting)]
        with pytest.raises(QueueFull):
            await agent.arun("speak")
        for stream in streams[3 * LIMITS.turns_at_once :]:
            await stream.aclose()
        await asyncio.gather(*(stream.result() for stream in streams[: 3 * LIMITS.turns_at_once]))
        assert 2 <= model.most <= LIMITS.turns_at_once
        assert (await agent.arun("speak")).answer == "well", "all places are free again"

    within(60, work())


def test_the_same_agent_in_one_loop_after_the_other() -> None:
    agent = words(Slow())
    for _ in range(2):
        assert within(10, agent.arun("speak")).answer == "well"


@pytest.mark.parametrize("how", ["cancel", "timeout", "aclose", "drop", "break"])
def test_what_is_no_longer_wanted_frees_the_engine(how: str, scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say((b"abc" * 1000).hex()), seconds_per_token=0.01)

    async def work() -> None:
        agent = words(Over(supervisor))
        if how in ("cancel", "timeout"):
            task = asyncio.create_task(agent.arun("speak"))
            while not supervisor._tickets:
                await asyncio.sleep(0.01)
            if how == "cancel":
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(task, 0.05)
        else:
            events = agent.astream("speak")
            async for event in events:
                if isinstance(event, Said):
                    break
            assert supervisor._tickets
            if how == "aclose":
                await events.aclose()
                assert [event async for event in events] == []
            del events
            gc.collect()
        await freed(supervisor)

    within(20, work())


def test_a_task_that_is_cancelled_while_it_waits_for_a_seat(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say((b"abc" * 1000).hex()), seconds_per_token=0.01)

    async def work() -> None:
        agent = words(Over(supervisor))
        tasks = [asyncio.create_task(agent.arun("speak")) for _ in range(LIMITS.turns_at_once + 1)]
        while len(supervisor._tickets) < LIMITS.turns_at_once:
            await asyncio.sleep(0.01)
        tasks[-1].cancel()
        await asyncio.gather(tasks[-1], return_exceptions=True)
        assert len(supervisor._tickets) == LIMITS.turns_at_once
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await freed(supervisor)

    within(20, work())


def test_the_real_engine_has_its_seat_back_within_a_second() -> None:
    async def work(agent: Agent) -> None:
        task = asyncio.create_task(agent.arun("Tell me a long story about the sea."))
        assert isinstance(agent.model, LocalModel)
        supervisor = agent.model.supervisor
        while not any(ticket.emitted for ticket in list(supervisor._tickets.values())):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await freed(supervisor)
        # The context has no room for both: this one is let in when the other is gone, and that one was to go on for
        # 400 tokens.
        assert (await agent.arun("Say hello.")).answer

    with Agent(only=["calculator"], context=512, threads=1, answer_tokens=400) as agent:
        within(60, work(agent))
