"""A Model over replicas that die: answers go on behind what was sent of them, and everything ends in one outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from linnet import limits
from linnet.errors import Cancelled, DeadlineExceeded, ReplicaLost, WorkerCrashed
from linnet.interfaces.scale import model as module
from linnet.interfaces.scale.model import ClusterModel
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Count, Done, Generate, Piece, complete
from linnet.script import Die, Hang, Say

TEXT = "Whatever happens, this text comes whole and once: ünïcödé."
SAID = Say(TEXT.encode().hex())
ASKED = Generate((Message("user", "Say it"),), max_tokens=200)


@pytest.fixture
def shorter(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set(**values: Any) -> None:
        for where in (module, limits, __import__("linnet.interfaces.scale.replica", fromlist=["LIMITS"])):
            monkeypatch.setattr(where, "LIMITS", replace(LIMITS, **values))

    return set


def heard(events: Any) -> tuple[str, Done]:
    found = list(events)
    assert isinstance(found[-1], Done) and all(isinstance(event, Piece) for event in found[:-1])
    return "".join(event.text for event in found[:-1]), found[-1]


def test_an_answer_comes_through(here) -> None:
    text, done = heard(ClusterModel(here(SAID)).stream(ASKED))
    assert text == done.text == TEXT and done.degraded == ()


@pytest.mark.parametrize("chunks", [0, 1, 2, 5])
def test_it_goes_on_where_a_replica_died(here, chunks: int) -> None:
    there = here(SAID, seconds_per_token=0.01)
    there.fails = [chunks, chunks]
    text, done = heard(ClusterModel(there).stream(ASKED))
    assert text == done.text == TEXT
    assert len(there.calls) == 3 and (not chunks or there.calls[0] != there.calls[1])
    assert "2 replicas were lost while it answered" in done.degraded
    begun = [one for each in there.models.values() for one in each.begun if one]
    assert len(begun) == (0 if chunks < 2 else 2)  # the first chunk is who it is: nothing was said by then


def test_what_was_said_is_not_said_again(here) -> None:
    there = here(SAID, seconds_per_token=0.01)
    there.fails = [8]
    _, done = heard(ClusterModel(there).stream(ASKED))
    (begun,) = [one for each in there.models.values() for one in each.begun if one]
    assert bytes(begun.tokens) == TEXT.encode()[: len(begun.tokens)]
    assert "resumed" in done.degraded and done.usage.generated_tokens == len(TEXT.encode())


def test_a_replica_that_goes_silent_is_left(here, shorter) -> None:
    shorter(replica_silence_seconds=3.0, replica_beat_seconds=0.1)  # on a busy machine the other one needs some
    there = here(SAID)
    first = complete(ClusterModel(there), ASKED)
    there.hush = {there.calls[0]}
    text, done = heard(ClusterModel(there).stream(ASKED))
    assert first.text == text == TEXT and there.calls[-1] != there.calls[0]
    assert "1 replicas were lost while it answered" in done.degraded


def test_one_that_says_that_it_lives_is_waited_for(here, shorter) -> None:
    shorter(replica_silence_seconds=5.0, replica_beat_seconds=0.1)  # half of the hang
    there = here(Hang(3), SAID, generations=(1,))
    text, _ = heard(ClusterModel(there).stream(ASKED))
    assert text == TEXT and len(there.calls) == 1


def test_losses_one_past_replica_losses_are_given_up(here) -> None:
    there = here(SAID)
    there.fails = [1] * (LIMITS.replica_losses + 1)
    with pytest.raises(ReplicaLost) as caught:
        complete(ClusterModel(there), ASKED)
    assert caught.value.details["replicas"] == LIMITS.replica_losses + 1 == len(there.calls)
    there.fails = [1] * LIMITS.replica_losses
    assert complete(ClusterModel(there), ASKED).text == TEXT


def test_errors_come_through_whole(here) -> None:
    with pytest.raises(WorkerCrashed) as caught:
        complete(ClusterModel(here(Die(status=3))), ASKED)
    assert caught.value.hint and caught.value.details["phase"]


def test_a_request_that_computes_nothing_is_asked_again_whole(here) -> None:
    there = here(SAID)
    there.fails = [1]
    done = complete(ClusterModel(there), Count((Message("user", "four"),)))
    assert done.count > 0 and len(there.calls) == 2


def test_its_deadline_holds_over_all_replicas(here) -> None:
    there = here(Hang(60), SAID)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        complete(ClusterModel(there), replace(ASKED, deadline=1.0))
    assert caught.value.details["seconds"] == 1.0 and time.monotonic() - began < 30
    assert there.idle()


def test_closing_it_cancels_it_there(here) -> None:
    there = here(SAID, seconds_per_token=0.2)
    stream = ClusterModel(there).stream(ASKED)
    assert isinstance(next(stream), Piece)
    stream.close()
    assert there.idle()
    with pytest.raises(StopIteration):
        next(stream)


def test_another_thread_may_close_it(here) -> None:
    there = here(Hang(60), SAID)
    stream = ClusterModel(there).stream(ASKED)
    threading.Timer(0.5, stream.close).start()
    with pytest.raises(Cancelled):
        next(stream)
    assert there.idle()


def test_closed_between_two_replicas_it_runs_on_neither(here, monkeypatch) -> None:
    there = here(SAID, seconds_per_token=0.2)
    there.fails = [1]
    stream = ClusterModel(there).stream(ASKED)
    monkeypatch.setattr(module.log, "note", lambda *_, **__: stream.close())
    with pytest.raises(Cancelled):
        next(stream)
    assert there.idle()


def test_a_dropped_stream_is_cancelled_too(here) -> None:
    there = here(SAID, seconds_per_token=0.2)
    next(ClusterModel(there).stream(ASKED))
    assert there.idle()


def test_many_at_once_are_told_apart(here) -> None:
    there = here(SAID, replicas=3, seconds_per_token=0.001)
    model = ClusterModel(there)
    streams = [model.stream(replace(ASKED, owner=f"o{i}")) for i in range(24)]
    assert [heard(stream)[0] for stream in streams] == [TEXT] * 24
    assert set(there.calls) == {"r0", "r1", "r2"}
