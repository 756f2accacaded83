"""Several models side by side, in workers without a model: who is loaded, makes way, waits, or is refused."""

from __future__ import annotations

import _thread
import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    Cancelled,
    ContextOverflow,
    DeadlineExceeded,
    ModelNotFound,
    OutOfMemory,
    QueueFull,
    WorkerCrashed,
)
from linnet.limits import LIMITS
from linnet.protocol import Load
from linnet.requests import Capabilities, Done, Event, Generate, Piece, Request, Segment, complete, complete_all
from linnet.runtime.health import Health
from linnet.runtime.pool import pool as module
from linnet.runtime.pool.pool import Pool
from linnet.runtime.pool.residency import Need
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action, Die, Hang, Say, Script

WAITED = "for memory that other models held"


def ask(text: str = "hi", **fields: Any) -> Generate:
    return Generate((Segment(text, True),), **fields)


def says(text: str) -> Say:
    return Say(text.encode().hex())


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return value


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class Scripted:
    """What a pool loads, over a worker without a model. `sizes` are what it takes with 4,096, 2,048, ... tokens."""

    def __init__(self, house: House, name: str, sizes: tuple[int, ...], cache: int, script: Script) -> None:
        self.house, self.name, self.cache_bytes = house, name, cache
        self._needs = tuple(Need(4096 >> i, size) for i, size in enumerate(sizes))
        self.context, self.released, self.running, self.closed = 4096, 0, 0, False
        self.supervisor = Supervisor(Load(script=script))
        self.configuration = None
        self.encoding = ""
        self.identity = house.same.get(name, name)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.identity, self.context, encoding=self.encoding)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(pid for pid in (self.supervisor.pid,) if pid)

    @property
    def size(self) -> int:
        return next(need.size for need in self._needs if need.context == self.context)

    def needs(self) -> tuple[Need, ...]:
        return self._needs

    def grow(self, size: int) -> None:
        self._needs = tuple(Need(need.context, need.size + size) for need in self._needs)

    def use_context(self, context: int) -> None:
        assert not self.pids, "the context of a running worker is what it is"
        self.context = context
        self.supervisor.use_context(context)

    def fingerprint(self) -> str:
        assert not self.closed
        return f"hash of {self.identity}"

    original = fingerprint

    def with_adapter(self, text: str) -> Scripted:
        """An adapter is called by its bytes."""
        if not text.isdigit():
            raise ModelNotFound(f"there is no adapter {text}")
        self.grow(int(text))
        return self

    def warm(self) -> None:
        self.supervisor.warm()

    def stream(self, request: Request) -> Iterator[Event]:
        assert not self.closed, "a request to a closed model"
        assert isinstance(request, Generate)
        return self._counted(request, self.supervisor.stream(request))

    def _counted(self, request: Generate, events: Iterator[Event]) -> Iterator[Event]:
        self.running += 1
        try:
            if self.context < 4096 and len(request.prompt) > 1:
                raise ContextOverflow("too long", hint="Be brief.")
            yield from events
        finally:
            self.running -= 1

    def health(self) -> Health:
        return Health("asleep" if self.closed else "unproven")

    def release_caches(self) -> None:
        if self.running:
            self.house.faults.append(f"caches of {self.name} released in use")
        self.released += 1

    def close(self) -> None:
        if self.running and not self.house.closing:
            self.house.faults.append(f"{self.name} closed in use")
        self.closed = True
        self.supervisor.close()


class House:
    """Makes pools over scripted models, remembers all models that were ever opened, and what went wrong."""

    def __init__(self) -> None:
        self.opened: list[Scripted] = []
        self.faults: list[str] = []
        self.closing = False
        self.models: dict[str, dict[str, Any]] = {}
        self.same: dict[str, str] = {}
        self.standing_in: dict[str, int] = {}
        self.usable: list[int | None] = []
        self.before: Callable[[str], None] = lambda name: None
        self.pools: list[Pool] = []

    def add(
        self, name: str, *sizes: int, cache: int = 0, same_as: str = "", actions: tuple[Action, ...] = ()
    ) -> None:
        script = Script(actions or (says(f"I am {name}."),))
        self.models[name] = {"sizes": sizes or (10,), "cache": cache, "script": script}
        if same_as:
            self.same[name] = same_as

    def open(self, name: str, usable: int | None) -> Scripted:
        self.before(name)
        self.usable.append(usable)
        if name not in self.models:
            raise ModelNotFound(f"there is no {name}")
        model = Scripted(self, name, **self.models[name])
        larger = self.standing_in.get(name, 0)
        if larger and (usable is None or model.needs()[0].size + larger <= usable):
            model.grow(larger)
            model.encoding = "larger"
        self.opened.append(model)
        return model

    def pool(self, memory: int | None = None, **options: Any) -> Pool:
        options.setdefault("available", lambda pids: None)
        self.pools.append(Pool(self.open, memory=memory, **options))
        return self.pools[-1]

    def running(self) -> list[str]:
        return sorted(model.name for model in self.opened if model.pids)

    def resident_bytes(self) -> int:
        return sum(model.size for model in self.opened if any(map(alive, model.pids)))

    def latest(self, name: str) -> Scripted:
        return next(model for model in reversed(self.opened) if model.name == name)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.closing = True
    for pool in made.pools:
        pool.close()
    assert not [pid for model in made.opened for pid in model.pids]
    assert not made.faults
    assert "linnet-keeper" not in [thread.name for thread in threading.enumerate()]


LONG = (says("begin"), Hang(0.3), says("x" * 4000))
"""An answer that goes on for as long as a test wants it to: its stream is dropped."""


def begun(stream: Iterator[Event]) -> Iterator[Event]:
    assert isinstance(next(stream), Piece)
    return stream


def in_thread(what: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A running thread, and where its result or error will be."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(what())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def happened(pool: Pool, what: str) -> list[str]:
    return [event.model for event in pool.events() if event.what == what]


# --- on demand -----------------------------------------------------------------------------------


def test_a_model_is_loaded_by_its_first_request(house: House) -> None:
    house.add("a")
    pool = house.pool(100)
    model = pool.model("a")
    assert model.capabilities == Capabilities("a", 4096) and house.running() == [] and pool.residents() == ()
    done = complete(model, ask())
    assert (done.text, done.degraded) == ("I am a.", ())
    (resident,) = pool.residents()
    assert (resident.name, resident.bytes, resident.in_use) == ("a", 10, 0)
    assert (resident.context, resident.configured) == (4096, 4096)
    assert resident.pids == house.opened[0].pids != ()
    assert len(house.opened) == 1


def test_two_names_of_one_file_are_one_resident(house: House) -> None:
    house.add("a")
    house.add("alias", same_as="a")
    pool = house.pool(10)
    for name in ("a", "alias", "a"):
        assert complete(pool.model(name), ask()).degraded == ()
    assert [resident.name for resident in pool.residents()] == ["a"] and len(house.running()) == 1
    assert [model.closed for model in house.opened] == [False, True], "the second was not needed"


def test_many_who_want_a_model_open_it_once(house: House) -> None:
    house.add("a")
    gate = threading.Event()
    house.before = lambda name: (gate.wait(60), None)[1]
    pool = house.pool(10)
    threads = [in_thread(lambda: complete(pool.model("a"), ask()).text) for _ in range(6)]
    gate.set()
    for thread, found in threads:
        thread.join()
        assert found == ["I am a."]
    assert len(house.opened) == 1


def test_opening_one_holds_up_nobody_else(house: House) -> None:
    house.add("a")
    house.add("slow")
    pool = house.pool(100)
    a = pool.model("a")
    gate, reached = threading.Event(), threading.Event()
    house.before = lambda name: (reached.set(), gate.wait(60), None)[2]
    thread, found = in_thread(lambda: complete(pool.model("slow"), ask()).text)
    assert reached.wait(60)
    assert complete(a, ask()).text == "I am a." and not found
    gate.set()
    thread.join()
    assert found == ["I am slow."]


def test_what_cannot_be_opened_leaves_nothing(house: House) -> None:
    pool = house.pool(100)
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            pool.model("a")
    house.add("a")
    assert complete(pool.model("a"), ask()).text == "I am a."


def test_opening_counts_towards_the_deadline(house: House) -> None:
    house.add("a")
    pool = house.pool(10)
    model = pool.model("a")
    complete(model, ask())
    pool.model("a")
    house.add("b")
    house.before = lambda name: time.sleep(0.3)
    b = pool.model("b")
    complete(b, ask())  # ends `a`, which is opened again
    with pytest.raises(DeadlineExceeded, match=r"within its 0\.2 s"):
        model.stream(ask(deadline=0.2))
    assert len(pool._line) == 0 and all(resident.in_use == 0 for resident in pool.residents())


def test_fingerprints_need_no_worker(house: House) -> None:
    house.add("a")
    model = house.pool(100).model("a")
    assert model.fingerprint() == model.original() == "hash of a" and house.running() == []


# --- the ladder ----------------------------------------------------------------------------------


def test_the_least_recently_used_goes(house: House) -> None:
    for name in "abcd":
        house.add(name)
    pool = house.pool(30)
    for name in "abc":
        complete(pool.model(name), ask())
    complete(pool.model("a"), ask())
    done = complete(pool.model("d"), ask())
    assert house.running() == ["a", "c", "d"] and done.degraded == ()
    complete(pool.model("b"), ask())
    assert house.running() == ["a", "b", "d"]
    assert happened(pool, "unloaded") == ["b", "c"]
    assert [r.name for r in pool.residents()] == ["a", "d", "b"]


def test_caches_go_before_models(house: House) -> None:
    house.add("a", cache=3)
    house.add("b", 10, cache=3)
    pool = house.pool(17)
    complete(pool.model("a"), ask())
    first = house.running()
    complete(pool.model("b"), ask())
    assert first == ["a"] and house.running() == ["a", "b"]
    assert happened(pool, "released") == ["a"] and house.latest("a").released == 1
    assert sum(resident.bytes for resident in pool.residents()) == 17
    complete(pool.model("a"), ask())  # which wants its cache back, and takes that of `b`
    assert happened(pool, "released") == ["a", "b"] and happened(pool, "unloaded") == []


def test_caches_do_not_go_in_vain(house: House) -> None:
    house.add("a", cache=3)
    house.add("b", cache=3)
    house.add("c", cache=3)
    pool = house.pool(20)
    for name in "abc":
        complete(pool.model(name), ask())
    assert happened(pool, "released") == [] and happened(pool, "unloaded") == ["a"]


def test_the_context_is_smaller_where_nobody_can_make_way_and_grows_back(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b", 20, 10, 5)
    pool = house.pool(20)
    busy = begun(pool.model("a").stream(ask()))
    b = pool.model("b")
    told = "context 2,048 of 4,096 tokens: the memory holds no more"
    assert complete(b, ask()).degraded == (told,)
    assert b.capabilities.context == 2048 and happened(pool, "shrunk") == ["b"]
    with pytest.raises(ContextOverflow) as overflown:
        complete(b, Generate((Segment("too", True), Segment("long", True))))
    assert overflown.value.hint == f"Be brief. It has a {told}."
    assert complete(b, ask()).degraded == (told,) and len(house.opened) == 2, "it stays as it is"
    del busy
    assert complete(b, ask()).degraded == () and b.capabilities.context == 4096
    assert house.running() == ["b"] and happened(pool, "unloaded") == ["b", "a"]


def test_a_request_waits_for_those_in_use_and_says_so(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(15)
    busy = begun(pool.model("a").stream(ask()))
    stream = pool.model("b").stream(ask())
    thread, found = in_thread(lambda: [*stream][-1])
    eventually(lambda: pool._line._tickets and pool._line._tickets[0].waiting)
    assert house.running() == ["a"]
    del busy
    thread.join()
    (done,) = found
    (note,) = done.degraded
    assert done.text == "I am b." and note.startswith("waited ") and note.endswith(WAITED)
    assert house.running() == ["b"] and len(pool._line) == 0


def test_who_waits_is_served_in_the_order_of_arrival(house: House) -> None:
    house.add("a", actions=LONG)
    for name in "bcd":
        house.add(name)
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    order: list[str] = []
    threads = []
    for i, name in enumerate("cdb"):
        model = pool.model(name)
        threads.append(in_thread(lambda model=model, name=name: (complete(model, ask()), order.append(name))))
        eventually(lambda: sum(t.waiting for t in pool._line._tickets) == i + 1)  # noqa: B023
    del busy
    for thread, _ in threads:
        thread.join()
    assert order == ["c", "d", "b"]


def test_one_thread_may_have_streams_that_wait_for_each_other(house: House) -> None:
    house.add("a")
    house.add("b")
    pool = house.pool(10)
    a, b = pool.model("a"), pool.model("b")
    streams = [model.stream(ask()) for model in (a, a, b, b)]
    assert [[*stream][-1].text for stream in streams] == ["I am a.", "I am a.", "I am b.", "I am b."]
    assert [done.text for done in complete_all(b, [ask()] * 4)] == ["I am b."] * 4


def test_a_stream_that_nobody_reads_holds_up_nobody(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    house.add("c")
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    unread = pool.model("b").stream(ask())
    del busy
    assert complete(pool.model("c"), ask()).text == "I am c."
    assert [*unread][-1].text == "I am b."


def test_newcomers_give_way_to_one_who_has_waited_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(10)
    a = pool.model("a")
    busy = begun(a.stream(ask()))
    thread, found = in_thread(lambda: complete(pool.model("b"), ask()).text)
    eventually(lambda: any(ticket.waiting for ticket in pool._line._tickets))
    passing = begun(a.stream(ask()))  # for it finds its model in memory
    del passing
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, pool_patience_seconds=0.0))
    late = a.stream(ask())
    assert len(pool._line) == 2
    del busy
    thread.join()
    assert found == ["I am b."]
    begun(late)


def test_the_deadline_says_who_holds_the_memory(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    with pytest.raises(DeadlineExceeded) as late:
        complete(pool.model("b"), ask(deadline=0.2))
    assert "a 0.0 MiB (in use)" in late.value.hint and len(pool._line) == 0
    del busy


def test_one_more_than_may_wait_is_refused(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    b = pool.model("b")
    waiting = [b.stream(ask()) for _ in range(LIMITS.pool_queue)]
    with pytest.raises(QueueFull, match=str(LIMITS.pool_queue)):
        b.stream(ask())
    waiting.pop()
    waiting.append(b.stream(ask()))
    del waiting, busy
    assert len(pool._line) == 0
    assert complete(b, ask()).text == "I am b."


def test_what_never_fits_is_refused_and_nobody_makes_way(house: House) -> None:
    house.add("a")
    house.add("vast", 80, 40)
    pool = house.pool(30)
    complete(pool.model("a"), ask())
    with pytest.raises(OutOfMemory) as refused:
        complete(pool.model("vast"), ask())
    assert refused.value.details == {"context": 4096, "largest": 0, "needed_bytes": 80, "usable_bytes": 30}
    assert house.running() == ["a"] and happened(pool, "refused") == ["vast"]


def test_the_newest_events_are_kept(house: House) -> None:
    house.add("vast", 80)
    house.add("huge", 80)
    pool = house.pool(30)
    for name in ("huge", *["vast"] * LIMITS.pool_events):
        with pytest.raises(OutOfMemory):
            pool.model(name).stream(ask())
    assert happened(pool, "refused") == ["vast"] * LIMITS.pool_events and house.running() == []


def test_the_machine_may_have_less_than_is_allowed(house: House) -> None:
    house.add("a", 80, 40)
    pool = house.pool(100, available=lambda pids: 50)
    assert complete(pool.model("a"), ask()).degraded != () and pool.residents()[0].context == 2048


# --- unloading -----------------------------------------------------------------------------------


def test_what_is_not_used_is_unloaded_and_its_thread_ends(house: House) -> None:
    house.add("a")
    pool = house.pool(100, idle_seconds=0.1)
    model = pool.model("a")
    complete(model, ask())
    (pid,) = house.opened[0].pids
    eventually(lambda: not alive(pid) and not pool.residents())
    eventually(lambda: "linnet-keeper" not in [thread.name for thread in threading.enumerate()])
    assert [event.why for event in pool.events() if event.what == "unloaded"] == ["unused for 0.1 s"]
    assert complete(model, ask()).text == "I am a." and len(house.opened) == 2


def test_what_is_in_use_is_not_idle(house: House) -> None:
    house.add("a", actions=LONG)
    pool = house.pool(100, idle_seconds=0.05)
    busy = begun(pool.model("a").stream(ask()))
    time.sleep(0.5)
    assert [resident.in_use for resident in pool.residents()] == [1] and isinstance(next(busy), Piece)
    del busy
    eventually(lambda: not pool.residents())


def test_zero_is_never(house: House) -> None:
    house.add("a")
    pool = house.pool(100, idle_seconds=0)
    complete(pool.model("a"), ask())
    time.sleep(0.3)
    assert house.running() == ["a"]


def test_where_others_take_the_memory_idle_models_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.2)
    house.add("a", cache=2)
    house.add("b", cache=2)
    house.add("c", cache=2, actions=LONG)
    left = [100]
    pool = house.pool(available=lambda pids: left[0])
    for name in "ab":
        complete(pool.model(name), ask())
    busy = begun(pool.model("c").stream(ask()))
    left[0] = 31  # of which 27 are usable; 30 are held
    with contextlib.suppress(StopIteration):
        complete(pool.model("c"), ask(max_tokens=1))  # ends, and then it is looked
    eventually(lambda: happened(pool, "released") == ["a", "b"])
    left[0] = 10
    eventually(lambda: happened(pool, "unloaded") == ["a", "b"])
    assert {event.why for event in pool.events() if event.what != "loaded"} == {"other programs need the memory"}
    eventually(lambda: house.running() == ["c"])
    left[0] = 0
    del busy
    eventually(lambda: house.running() == [])


# --- preloading ----------------------------------------------------------------------------------


def test_preloading_starts_workers_within_the_budget(house: House) -> None:
    for name in "abc":
        house.add(name, 10, 4)
    pool = house.pool(24)
    with pytest.raises(OutOfMemory) as refused:
        pool.preload("a", "b", "c")
    assert refused.value.details["largest"] == 2048 and refused.value.details["usable_bytes"] == 4
    assert eventually(lambda: house.running() == ["a", "b"])
    assert [resident.in_use for resident in pool.residents()] == [0, 0]
    pool.preload("b", "a")
    assert complete(pool.model("a"), ask()).text == "I am a." and len(house.opened) == 3


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["done", "dropped", "closed", "crashed"])
def test_every_end_of_a_stream_ends_its_lease(house: House, how: str) -> None:
    house.add("a", actions=(says("begin"), says("x" * 50)))
    house.add("dying", actions=(Die(0, 7),))
    pool = house.pool(10)
    if how == "crashed":
        with pytest.raises(WorkerCrashed):
            complete(pool.model("dying"), ask())
    else:
        stream = begun(pool.model("a").stream(ask()))
        assert pool.residents()[0].in_use == 1
        if how == "done":
            while not isinstance(next(stream), Done):
                pass
        elif how == "closed":
            stream.close()  # type: ignore[attr-defined]
            assert [*stream] == []
        else:
            del stream
    assert pool.residents()[0].in_use == 0


def test_closing_cancels_what_runs_and_what_waits(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    b = pool.model("b")
    thread, found = in_thread(lambda: complete(b, ask()))
    eventually(lambda: any(ticket.waiting for ticket in pool._line._tickets))
    house.closing = True
    pool.close()
    thread.join()
    assert isinstance(found[0], Cancelled) and house.running() == []
    with pytest.raises(Cancelled, match="closed while the request ran"):
        for _ in busy:
            pass
    for refused in (lambda: b.stream(ask()), lambda: pool.model("a"), lambda: pool.preload("a")):
        with pytest.raises(Cancelled):
            refused()
    pool.close()
    assert all(model.closed for model in house.opened)


def test_closing_may_wait_for_what_runs(house: House) -> None:
    house.add("a", actions=(says("begin"), Hang(0.3), says(" and end")))
    with house.pool(10) as pool:
        stream = begun(pool.model("a").stream(ask()))
        thread, found = in_thread(lambda: pool.close(20))
        assert [*stream][-1].text == "begin and end"
        thread.join()
        assert found == [None]


def test_an_interrupt_while_waiting_leaves_nothing(house: House) -> None:
    house.add("a", actions=LONG)
    house.add("b")
    pool = house.pool(10)
    busy = begun(pool.model("a").stream(ask()))
    b = pool.model("b")

    def interrupt() -> None:
        eventually(lambda: any(ticket.waiting for ticket in pool._line._tickets))
        _thread.interrupt_main()

    thread, _ = in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        complete(b, ask())
    thread.join()
    assert len(pool._line) == 0
    del busy
    assert complete(b, ask()).text == "I am b."


# --- all at once ---------------------------------------------------------------------------------


def test_many_threads_and_models_in_little_memory(house: House) -> None:
    """Each request ends once; what lives is never more than the budget; nobody is closed in use (see `house`)."""
    names = [f"m{i}" for i in range(6)]
    for name in names:
        house.add(name, 10, 6, cache=2, actions=(says(f"I am {name}."),))
    pool = house.pool(30, idle_seconds=0.2)
    outcomes: list[tuple[str, str]] = []
    over = threading.Event()
    most = [0]

    def watch() -> None:
        while not over.wait(0.002):
            most[0] = max(most[0], house.resident_bytes())

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(6):
            name = rng.choice(names)
            stream = pool.model(name).stream(ask(deadline=60.0))
            if rng.random() < 0.2:
                with contextlib.suppress(StopIteration):
                    next(stream)
                del stream
                outcomes.append((name, "dropped"))
                continue
            ends = [event for event in stream if isinstance(event, Done)]
            outcomes.append((name, ends[0].text if len(ends) == 1 else f"{len(ends)} ends"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [in_thread(lambda number=number: work(number)) for number in range(8)]
    for thread, _ in threads:
        thread.join()
    over.set()
    watcher.join()
    assert [found for _, found in threads] == [[None]] * 8
    assert len(outcomes) == 48
    assert {text for name, text in outcomes} <= {"dropped", *(f"I am {name}." for name in names)}
    assert all(text in ("dropped", f"I am {name}.") for name, text in outcomes)
    assert 0 < most[0] <= 30
    assert len(pool._line) == 0 and all(resident.in_use == 0 for resident in pool.residents())
    eventually(lambda: not pool.residents() and not house.running())


def test_the_room_is_asked_for_with_the_running_processes(house: House) -> None:
    house.add("a")
    house.add("b")
    asked: list[tuple[int, ...]] = []

    def available(pids: Iterable[int]) -> int | None:
        asked.append(tuple(pids))
        return None

    pool = house.pool(available=available)
    complete(pool.model("a"), ask())
    complete(pool.model("b"), ask())
    (pid,) = house.opened[0].pids
    assert asked[0] == () and (pid,) in asked and os.getpid() not in {one for pids in asked for one in pids}


# --- weights that stand in for the model's own ---------------------------------------------------


@pytest.mark.parametrize(("memory", "encoding"), [(30, "larger"), (29, ""), (12, "")])
def test_what_stands_in_is_loaded_only_where_it_fits_whole(house: House, memory: int, encoding: str) -> None:
    house.add("a", 12, 8)
    house.standing_in["a"] = 18
    pool = house.pool(memory)
    model = pool.model("a")
    assert complete(model, ask()).degraded == () and model.capabilities == Capabilities("a", 4096, encoding=encoding)


def test_what_stands_in_costs_neither_context_nor_time_nor_an_error(house: House) -> None:
    """It was opened while there was room for it; beside a model in use there is none, but for the original."""
    house.add("a", 12, 8)
    house.add("b", 20, actions=LONG)
    house.standing_in["a"] = 18
    pool = house.pool(40)
    model = pool.model("a")
    assert model.capabilities.encoding == "larger"
    busy = begun(pool.model("b").stream(ask()))
    assert complete(model, ask()).degraded == () and model.capabilities == Capabilities("a", 4096)
    assert house.usable[-1] == 20 and happened(pool, "unloaded") == happened(pool, "shrunk") == []
    del busy


def test_what_stands_in_makes_way_for_an_adapter(house: House) -> None:
    house.add("a", 12, 8)
    house.standing_in["a"] = 18
    pool = house.pool(32)
    assert pool.model("a").capabilities.encoding == "larger"
    adapted = pool.model("a+5")
    assert complete(adapted, ask()).degraded == () and adapted.capabilities.encoding == ""
    assert [resident.bytes for resident in pool.residents()] == [17]


def test_preloading_prefers_originals_to_a_refusal(house: House) -> None:
    for name in "ab":
        house.add(name, 12)
        house.standing_in[name] = 18
    pool = house.pool(45)
    second = pool.model("b")
    pool.preload("a", "b")
    assert [resident.bytes for resident in pool.residents()] == [30, 12] and second.capabilities.encoding == ""


# --- what is known of a model --------------------------------------------------------------------


def test_a_model_is_what_it_was_opened_as_last(house: House) -> None:
    house.add("a", 30, 12)
    house.standing_in["a"] = 18
    pool = house.pool(100, idle_seconds=0.1)
    model = pool.model("a")
    complete(model, ask())
    assert model.capabilities == Capabilities("a", 4096, encoding="larger")
    eventually(lambda: not pool._open.slots and not house.running())
    house.standing_in.clear()
    house.same["a"] = "another"
    assert model.capabilities == Capabilities("another", 4096) and model.fingerprint() == "hash of another"
    complete(model, ask())
    pool.close()
    assert model.capabilities.name == "another", "it was seen last"


def test_two_adapters_at_once_are_both_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first counts before the second has come, and says so after it."""
    house.add("a", 10)
    pool = house.pool(100)
    complete(pool.model("a"), ask())
    counted, gate, counts = threading.Event(), threading.Event(), Scripted.needs

    def needs(model: Scripted) -> tuple[Need, ...]:
        found = counts(model)
        if threading.current_thread() is first:
            counted.set()
            gate.wait(60)
        return found

    monkeypatch.setattr(Scripted, "needs", needs)
    first = threading.Thread(target=lambda: pool.model("a+3"))
    first.start()
    assert counted.wait(60)
    pool.model("a+4")
    gate.set()
    first.join()
    assert [resident.bytes for resident in pool.residents()] == [17]


def test_what_was_only_looked_at_is_closed_too(house: House) -> None:
    house.add("a")
    house.add("b")
    pool = house.pool(100, idle_seconds=0.1)
    model = pool.model("a")
    complete(model, ask())
    pool.model("b")
    eventually(lambda: len(house.opened) == 2 and all(one.closed for one in house.opened))
    assert model.fingerprint() == "hash of a" and not house.opened[-1].pids
    eventually(lambda: all(one.closed for one in house.opened))
    eventually(lambda: "linnet-keeper" not in [thread.name for thread in threading.enumerate()])
    assert happened(pool, "unloaded") == ["a"] and complete(model, ask()).text == "I am a."
