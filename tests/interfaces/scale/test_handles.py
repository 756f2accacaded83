"""What a deployment says of itself, by a handle that is played: silence and losses are told, and nothing is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from linnet.errors import EngineError
from linnet.interfaces.scale import handles
from linnet.interfaces.scale.flow import Lost
from linnet.interfaces.scale.handles import HandledReplicas
from linnet.limits import LIMITS


def handle(facts: Callable[[], Awaitable[bytes]]) -> Any:
    return SimpleNamespace(facts=SimpleNamespace(remote=facts))


def test_one_that_says_nothing_is_told_of_and_the_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "LIMITS", replace(LIMITS, start_seconds=0.5))
    ended = threading.Event()

    async def silent() -> bytes:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.set()
        return b""

    with pytest.raises(EngineError, match="no replica said what it has: nothing came for"):
        HandledReplicas(handle(silent)).facts()
    assert ended.wait(60)


def test_one_that_is_lost_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "translated", lambda error: Lost(type(error).__name__))

    async def lost() -> bytes:
        raise ConnectionError

    with pytest.raises(EngineError, match="ConnectionError"):
        HandledReplicas(handle(lost)).renew()


def broadcast(answers: Callable[[], Any]) -> Any:
    async def results(**named: Any) -> Any:
        return answers()

    return SimpleNamespace(broadcast=lambda method: SimpleNamespace(results_async=results))


def failing(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", [TimeoutError(), RuntimeError("the deployment is unavailable")])
def test_a_deployment_that_cannot_be_asked_has_no_numbers(error: Exception) -> None:
    at_once = SimpleNamespace(broadcast=lambda method: failing(error)())
    for played in (broadcast(failing(error)), at_once):
        assert asyncio.run(HandledReplicas(played).stands()) == []


def test_a_replica_that_fails_is_left_out_of_the_numbers() -> None:
    found = asyncio.run(HandledReplicas(broadcast(lambda: [{"replica": "r1"}, RuntimeError()])).stands())
    assert found == [{"replica": "r1"}]
