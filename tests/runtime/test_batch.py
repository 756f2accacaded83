"""generate_batch: in order, errors as values, bounded, cancelled; over the scripted engine and the real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from linnet.errors import EmptyRequest, RequestTooLarge, SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Request, Score, Segment
from linnet.runtime.batch import generate_batch
from linnet.runtime.local import open_local
from linnet.runtime.supervisor import Supervisor
from linnet.script import Say


def ask(text: str) -> Generate:
    return Generate((Message("user", text),))


class Echo:
    """Says what it hears, in turn or not; counts how many it has at a time."""

    capabilities = Capabilities("echo", 100)

    def __init__(self, seconds: float = 0.0) -> None:
        self.heard: list[str] = []
        self.most = self._now = 0
        self._lock, self._seconds = threading.Lock(), seconds

    def stream(self, request: Request) -> Iterator[Event]:
        text = request.prompt[0].content  # type: ignore[union-attr]
        with self._lock:
            self.heard.append(text)
            self._now += 1
            self.most = max(self.most, self._now)
        if text == "bad":
            self._now -= 1
            raise EmptyRequest("bad")
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        yield Done(text=text)


def test_ends_in_order_and_one_bad_request_spoils_no_other() -> None:
    texts = [f"{i}" for i in range(50)]
    texts[7] = texts[23] = "bad"
    ends = list(generate_batch(Echo(), map(ask, texts)))
    assert [type(end) for end in ends].count(EmptyRequest) == 2
    assert [end.text if isinstance(end, Done) else "bad" for end in ends] == texts


def test_no_more_at_once_than_said() -> None:
    model = Echo(0.002)
    assert len(list(generate_batch(model, [ask(str(i)) for i in range(40)], at_once=4))) == 40
    assert 2 <= model.most <= 4


@pytest.mark.parametrize("at_once", [0, LIMITS.queue + 1])
def test_an_at_once_beyond_the_queue(at_once: int) -> None:
    with pytest.raises(SettingsInvalid):
        generate_batch(Echo(), [], at_once=at_once)


def test_requests_that_begin_alike_come_one_after_the_other() -> None:
    model = Echo()
    texts = [f"{'Translate' if i % 2 else 'Summarise'} number {i}" for i in range(20)]
    assert [end.text for end in generate_batch(model, map(ask, texts), at_once=1)] == texts
    kinds = [text.split()[0] for text in model.heard]
    assert sum(a != b for a, b in pairwise(kinds)) <= 3


def test_requests_are_read_no_further_ahead_than_the_limit() -> None:
    read = 0

    def endless() -> Iterator[Request]:
        nonlocal read
        while True:
            read += 1
            yield ask(str(read))

    ends = generate_batch(Echo(), endless())
    assert [next(ends).text for _ in range(3)] == ["1", "2", "3"]
    ends.close()  # type: ignore[attr-defined]
    assert LIMITS.batch_ahead <= read <= LIMITS.batch_ahead + 3


def test_the_first_of_a_beginning_goes_before_the_others() -> None:
    model = Echo(0.01)
    long = "Summarise what follows in one sentence, in the words of a newspaper. " * 5
    texts = [f"{long}{i}" for i in range(9)] + ["bad"]
    ends = list(generate_batch(model, map(ask, texts), at_once=10))
    assert [end.text for end in ends[:-1]] == texts[:-1]
    assert len(model.heard) == 11, "one of them twice: first for its prompt"
    assert model.heard.count(next(text for text in model.heard if text != "bad")) == 2


def test_a_first_one_that_fails_holds_up_nobody() -> None:
    class Failing(Echo):
        def stream(self, request: Request) -> Iterator[Event]:
            raise EmptyRequest("bad")

    ends = list(generate_batch(Failing(), [ask("Answer in the words of a poet. " * 20)] * 5))
    assert [type(end) for end in ends] == [EmptyRequest] * 5


def test_ends_are_worked_on_and_what_that_raises_is_an_outcome() -> None:
    ends = list(generate_batch(Echo(), map(ask, ["1", "x", "3"]), finish=lambda done: int(done.text) * 2))
    assert (ends[0], type(ends[1]), ends[2]) == (2, ValueError, 6)


def test_progress_is_told_of_every_end() -> None:
    told: list[int] = []
    list(generate_batch(Echo(), map(ask, ["1", "bad", "3"]), progress=told.append))
    assert told == [1, 2, 3]


class Over:
    capabilities = Capabilities("scripted", 100)

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def stream(self, request: Request) -> Iterator[Event]:
        return self.supervisor.stream(request)


def test_closing_frees_the_engine(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say((b"abc" * 10).hex()), seconds_per_token=0.001)
    ends = generate_batch(Over(supervisor), [ask(str(i)) for i in range(500)], at_once=8)
    assert next(ends).text == "abc" * 10
    ends.close()  # type: ignore[attr-defined]
    for _ in range(100):
        if not supervisor._tickets:
            break
        time.sleep(0.02)
    assert not supervisor._tickets
    assert sum(1 for _ in generate_batch(Over(supervisor), [ask("more")])) == 1, "the engine goes on for others"


# --- over the real model -------------------------------------------------------------------------


def test_what_begins_alike_is_computed_once_and_each_end_is_its_own() -> None:
    system = "Answer yes or no. " + "Be brief and friendly to everybody who asks. " * 6
    prompts = [(Segment(f"{system} Is {i} over 10? ", False),) for i in range(12)]
    requests: list[Request] = [Generate(prompt, constraint=Choice(("yes", "no")), max_tokens=4) for prompt in prompts]
    requests[3] = Score(prompts[3], ("yes", "no"))
    requests[5] = Generate(())
    requests[8] = Generate((Segment("x" * (LIMITS.request_bytes + 1), False),))
    model = open_local(context=1024, threads=1)
    try:
        ends = list(generate_batch(model, requests, at_once=6))
    finally:
        model.close()
    assert (type(ends[5]), type(ends[8])) == (EmptyRequest, RequestTooLarge)
    assert len(ends[3].scores) == 2
    words = [end.text for i, end in enumerate(ends) if i not in (3, 5, 8)]
    assert len(words) == 9 and set(words) <= {"yes", "no"}
    found = sorted(end.usage.cached_tokens for i, end in enumerate(ends) if i not in (5, 8))
    assert found[0] == 0 and found[1] > 50, "one computed it, and all others found it"
