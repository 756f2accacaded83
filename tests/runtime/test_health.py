"""Health is what a worker did: ready is a token lately, or one on probe, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from linnet.errors import WorkerCrashed
from linnet.limits import LIMITS
from linnet.requests import Count, Generate, Segment, complete
from linnet.runtime import health as module
from linnet.runtime.health import Prober, look
from linnet.script import Die, Hang, Say

ASK = Generate((Segment("x", True),))
AB = Say(b"ab".hex())


def test_the_states() -> None:
    def state(spoke: float | None = None, **facts: Any) -> str:
        return look(spoke, (0, 1, 0), **{"running": True, "loaded": True, "now": 100.0, **facts}).state

    edge = 100.0 - LIMITS.health_seconds
    assert (state(), state(edge), state(edge - 0.001)) == ("unproven", "ready", "unproven")
    assert state(99.0, loaded=False) == "loading", "what an earlier worker said proves nothing"
    assert state(99.0, loaded=False, running=False) == "asleep"
    assert state(loaded=False, running=False, failure=WorkerCrashed("x")) == "failed"


def test_it_is_told_as_json() -> None:
    told = look(99.0, (3, 2, 1), running=True, loaded=True, now=100.5).describe()
    counts = {"accepted": 3, "starts": 2, "barren": 1}
    assert told == {"ready": True, "state": "ready", "silent": 1.5, **counts, "error": None}


def test_a_worker_is_ready_once_it_has_spoken_and_not_before(scripted: Any) -> None:
    engine = scripted(AB)
    assert engine.health().state == "asleep"
    engine.warm()
    assert engine.health().state == "loading"
    while engine.ready is None:
        time.sleep(0.01)
    assert engine.health().state == "unproven"
    complete(engine, Count(ASK.prompt))
    assert engine.health().state == "unproven", "a count is no token"
    complete(engine, ASK)
    assert engine.health().ready and engine.health().silent < LIMITS.health_seconds
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        time.sleep(0.01)
    assert engine.health().state == "asleep"


def test_a_probe_starts_a_sleeping_worker_and_proves_it_once_for_many(scripted: Any) -> None:
    engine, asked = scripted(AB), []

    def stream(request: Any) -> Any:
        asked.append(request)
        return engine.stream(request)

    prober, found = Prober(engine.health, stream), []
    threads = [threading.Thread(target=lambda: found.append(prober.probed())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.ready for one in found] == [True] * 8 and len(asked) == 1


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start takes longer where many tests run side by side."""
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, probe_seconds=60.0))


@pytest.mark.parametrize("action", [Hang(60.0), Die(int(signal.SIGSTOP))], ids=["hangs", "is stopped"])
def test_a_worker_that_says_nothing_is_not_ready(scripted: Any, monkeypatch: Any, action: Any) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, probe_seconds=1.0))
    engine = scripted(action, AB)
    assert Prober(engine.health, engine.stream).probed().state in ("unproven", "loading")


def test_one_that_is_given_up_says_why_until_somebody_asks_again(scripted: Any) -> None:
    engine = scripted(AB, load=(Die(6),), generations=(1, 2))
    found = Prober(engine.health, engine.stream).probed()
    assert found.state == "failed" and found.error is not None and found.error["code"] == "worker_start_failed"
    assert Prober(engine.health, engine.stream).probed().ready
