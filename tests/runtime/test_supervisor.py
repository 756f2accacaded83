"""A worker may die in any way at any time: every accepted request still ends once, whole or with a typed error."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    ContextOverflow,
    DeadlineExceeded,
    EngineError,
    ModelInvalid,
    PoisonRefused,
    ProtocolBroken,
    QueueFull,
    RequestError,
    RequestTooLarge,
    WorkerCrashed,
    WorkerHung,
    WorkerStartFailed,
)
from linnet.limits import LIMITS
from linnet.protocol import Load, Submit, failed
from linnet.requests import (
    Choice,
    Copy,
    Count,
    Done,
    Fixed,
    Generate,
    Hole,
    Holes,
    Number,
    Piece,
    Schema,
    Score,
    Segment,
)
from linnet.runtime import blame, silence
from linnet.runtime import supervisor as module
from linnet.runtime.stream import Ticket
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action, Deed, Die, Flood, Garble, Hang, Say

SIGNALS = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"]
WAYS = [*(Die(int(getattr(signal, name))) for name in [*SIGNALS, "SIGTERM"]), Die(0, 7)]


def way_name(die: Die) -> str:
    return signal.Signals(die.signal).name if die.signal else f"status {die.status}"


def say(text: str) -> Say:
    return Say(text.encode().hex())


def ask(text: str = "hi", **fields: Any) -> Generate:
    return Generate((Segment(text, True),), **fields)


def together(engine: Supervisor, outcome: Any, requests: list[Any]) -> list[Any]:
    """Outcomes of requests that run at once."""
    streams = [engine.stream(request) for request in requests]
    return [outcome(stream) for stream in streams]


def eventually(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return value


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def dead(pid: int) -> bool:
    return not (Path("/proc") / str(pid)).exists()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`limits(progress_seconds=1.5)`: other limits than those of the house, for this test."""

    def change(**changed: Any) -> None:
        for of in (module, blame):
            monkeypatch.setattr(of, "LIMITS", replace(LIMITS, **changed))

    return change


# --- one death -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["before", "middle", "end"])
def test_after_one_death_the_stream_goes_on(scripted: Any, outcome: Any, where: str) -> None:
    whole = say("héllo wörld")

    def actions(die: Die) -> tuple[Action, ...]:
        halves = (say("héllo wö"), die, say("rld"))
        return {"before": (die, whole), "middle": halves, "end": (whole, die)}[where]

    ways = WAYS if where == "middle" else WAYS[::3]
    streams = {way_name(die): scripted(*actions(die), generations=(1,)).stream(ask()) for die in ways}
    for name, stream in streams.items():
        got = outcome(stream)
        assert got.done, (name, got.error)
        assert got.done.text == bytes(got.tokens).decode() == "héllo wörld", name
        assert got.done.degraded == ("resumed",), name


@pytest.mark.parametrize("where", ["load", "prefill", "decode"])
def test_after_every_death_a_typed_error(scripted: Any, outcome: Any, limits: Any, where: str) -> None:
    limits(restarts=2)

    def start(die: Die) -> Supervisor:
        actions = {"load": (say("ab"),), "prefill": (die, say("ab")), "decode": (say("ab"), die, say("c"))}[where]
        return scripted(*actions, load=(die,) if where == "load" else ())

    streams = [start(die).stream(ask()) for die in WAYS]
    for die, stream in zip(WAYS, streams, strict=True):
        got = outcome(stream)
        error, name = got.error, way_name(die)
        assert type(error) is (WorkerStartFailed if where == "load" else WorkerCrashed), name
        assert error.details["phase"] == where and where in error.message and name in error.message
        assert got.text == ("ab" if where == "decode" else "")
        assert error.details["status"] == (-die.signal or die.status)
        if die.signal:
            assert error.details["signal"] == name
            assert error.hint != type(error).default_hint, "advice that fits the signal"


def test_half_a_character_survives_a_death(scripted: Any, outcome: Any) -> None:
    euro = "€".encode().hex()
    got = outcome(scripted(Say("61" + euro[:4]), Die(11), Say(euro[4:] + "62"), generations=(1,)).stream(ask()))
    assert got.done.text == got.text == "a€b"


def test_half_a_stop_string_survives_a_death(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("one EN"), Die(11), say("D two"), generations=(1,))
    assert outcome(engine.stream(ask(stop=("END",)))).done.text == "one "
    engine = scripted(say("one EN"), Die(11), say("T two"), generations=(1,))
    assert outcome(engine.stream(ask(stop=("END",)))).done.text == "one ENT two"


def test_several_deaths_with_progress_between_are_no_reason_to_give_up(scripted: Any, limits: Any) -> None:
    limits(restarts=1)
    engine = scripted(say("0123456789" * 3), seconds_per_token=0.02)
    text = ""
    for event in engine.stream(ask()):
        if isinstance(event, Done):
            done = event
        else:
            text += event.text
            if len(text) in (3, 8, 13, 18, 23):
                with contextlib.suppress(TypeError, ProcessLookupError):
                    os.kill(engine.pid, signal.SIGSEGV)
    assert done.text == text == "0123456789" * 3 and engine._starts >= 5


def test_the_error_says_where_the_worker_died_not_where_it_beat_last(scripted: Any, outcome: Any) -> None:
    """Beats are a quarter of a second old; this worker dies at once."""
    engine = scripted(Die(11), poison="BAD")
    outcome(engine.stream(ask("warm up")))
    time.sleep(0.3)
    assert outcome(engine.stream(ask("BAD"))).error.details["phase"] == "prefill"


def test_the_last_words_are_in_the_error(outcome: Any, tmp_path: Path) -> None:
    """A file that is no model: the loader says so, and nobody tries it again."""
    path = tmp_path / "no.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    fd = os.open(path, os.O_RDONLY)
    engine = Supervisor(Load(context=256), fd)
    try:
        got = outcome(engine.stream(ask()))
        assert isinstance(got.error, ModelInvalid)
        assert engine._starts == 1
    finally:
        engine.close()
        os.close(fd)


def test_a_descriptor_that_is_closed_is_an_engine_error(outcome: Any, tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    os.close(fd)
    engine = Supervisor(Load(context=256), fd)
    assert isinstance(outcome(engine.stream(ask())).error, EngineError)
    engine.close()


# --- hangs ---------------------------------------------------------------------------------------


STUCK: list[Action] = [Hang(60.0), Die(int(signal.SIGSTOP))]


def test_a_hang_is_found_and_the_stream_goes_on(scripted: Any, outcome: Any, limits: Any) -> None:
    """In prefill and in decode, with the process asleep and with the process stopped."""
    limits(progress_seconds=2.5)
    scripts = [s for stuck in STUCK for s in ((stuck, say("abcd")), (say("ab"), stuck, say("cd")))]
    streams = [scripted(*actions, generations=(1,)).stream(ask()) for actions in scripts]
    for stream in streams:
        got = outcome(stream)
        assert got.done, got.error
        assert got.done.text == "abcd" and got.done.degraded == ("resumed",)


def test_what_always_hangs_fails_with_the_phase(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(progress_seconds=2.5, start_seconds=4.0)
    decode = scripted(say("ab"), Hang(60.0)).stream(ask())
    load = scripted(say("ab"), load=(Hang(60.0),)).stream(ask())
    for stream, phase, text in ((decode, "decode", "ab"), (load, "load", "")):
        got = outcome(stream)
        assert isinstance(got.error, WorkerHung) and got.error.details["phase"] == phase and got.text == text


def test_an_idle_worker_that_stops_is_replaced(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(progress_seconds=1.5)
    engine = scripted(say("ab"))
    assert outcome(engine.stream(ask())).done.text == "ab"
    first = engine.pid
    os.kill(first, signal.SIGSTOP)
    eventually(lambda: dead(first))
    assert outcome(engine.stream(ask())).done.text == "ab" and engine.pid != first


def test_long_honest_work_is_not_a_hang(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(progress_seconds=1.5)
    got = outcome(scripted(say("x" * 20), seconds_per_token=0.1).stream(ask()))
    assert got.done.text == "x" * 20 and got.done.degraded == ()


def test_a_worker_that_spins_is_hung(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(progress_seconds=1.0)
    got = outcome(scripted(Deed("while True: pass")).stream(ask()))
    assert isinstance(got.error, WorkerHung) and got.error.details["phase"] == "prefill"


WORK = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nsay('ab')"


def test_a_worker_that_gets_no_processor_is_not(scripted: Any, outcome: Any, limits: Any) -> None:
    """Real starvation, for longer than a hang may last: it shares one processor with a program that always comes
    first. (Where the scheduler groups by sessions it gets its half, and this is easy.)"""
    limits(progress_seconds=1.0)
    hungry = scripted(Deed(WORK))
    outcome(hungry.stream(ask(max_tokens=1)))
    processors = os.sched_getaffinity(0)
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(spinner.pid, {min(processors)})
        os.sched_setaffinity(hungry.pid, {min(processors)})
        os.sched_setscheduler(hungry.pid, os.SCHED_IDLE, os.sched_param(0))
        stream = hungry.stream(ask())
        time.sleep(3.0)
    finally:
        spinner.kill()
        spinner.wait()
    os.sched_setaffinity(hungry.pid, processors)
    os.sched_setscheduler(hungry.pid, os.SCHED_OTHER, os.sched_param(0))
    got = outcome(stream)
    assert got.done and got.done.text == "ab" and got.done.degraded == (), got.error
    assert hungry.health().starts == 1


def test_but_not_for_ever_and_no_request_is_charged(
    scripted: Any, outcome: Any, limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if each of its threads waited for a processor all the time."""
    limits(progress_seconds=1.0, starved_seconds=3.0)
    engine = scripted(say("a"), Hang(60.0), say("b"), generations=(1,))
    monkeypatch.setattr(silence, "threads", lambda pid, **_: {pid: silence.Strand(1.0, 0.0, runnable=True)})
    before = time.monotonic()
    got = outcome(engine.stream(ask()))
    assert got.done and got.done.text == "ab" and got.done.degraded == ("resumed",), got.error
    assert time.monotonic() - before > 2.0


def test_an_idle_worker_is_left_alone(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(progress_seconds=2.5)
    engine = scripted(say("ab"))
    outcome(engine.stream(ask()))
    first = engine.pid
    time.sleep(3.5)
    assert outcome(engine.stream(ask())).done.degraded == () and engine.pid == first


# --- floods and garbage --------------------------------------------------------------------------


def test_a_flood_arrives_whole(scripted: Any, outcome: Any) -> None:
    got = outcome(scripted(Flood(20_000)).stream(ask(max_tokens=20_000)))
    assert len(got.pieces) == 20_000 and got.done.text == "x" * 20_000


@pytest.mark.parametrize("tokens", [(120,), ()], ids=["tokens", "text alone"])
def test_an_answer_that_never_ends_is_not_believed(scripted: Any, outcome: Any, tokens: tuple[int, ...]) -> None:
    """Memory of the caller is what a hostile worker would fill with it."""
    engine = scripted(Garble(frame({"record": "emitted", "id": 1, "text": "x", "tokens": tokens}) * 2_000))
    got = outcome(engine.stream(ask(max_tokens=5)))
    assert isinstance(got.error, ProtocolBroken) and "beyond" in got.error.message
    assert len(got.pieces) < 100


def test_a_token_has_so_much_text_and_no_more(scripted: Any, outcome: Any) -> None:
    most = LIMITS.token_text_bytes
    ticket = Ticket(Submit(1, ask(max_tokens=4)))
    ticket.take(Piece("", (120,)))
    ticket.take(Piece("x" * 2 * most, (120,)))
    with pytest.raises(ProtocolBroken, match="than its tokens can be"):
        ticket.take(Piece("x" * (most + 1), (120,)))
    one = frame({"record": "emitted", "id": 1, "text": "x" * (most + 1), "tokens": [120]})
    assert isinstance(outcome(scripted(Garble(one)).stream(ask(max_tokens=4))).error, ProtocolBroken)


@pytest.mark.parametrize(("text", "tokens"), [("12", 3), ("☃☃", 7)])
def test_a_prompt_may_have_more_tokens_than_bytes(text: str, tokens: int) -> None:
    """As SentencePiece tells them: an honest worker is not ended for it, one that goes on for ever is."""
    ticket = Ticket(Submit(1, Score((Segment(text, False),), (), alternatives=0)))
    ticket.take(Piece("", tuple(range(tokens))))
    with pytest.raises(ProtocolBroken, match="beyond"):
        ticket.take(Piece("", (1,) * 100))


def test_a_flood_of_records_for_nobody_hides_no_hang(scripted: Any, outcome: Any, limits: Any) -> None:
    """They say nothing of the request that waits; and the clock is looked at while they arrive."""
    limits(progress_seconds=1.0)
    flood = Garble(frame({"record": "emitted", "id": 99, "text": "x", "tokens": [120]}) * 100)
    engine = scripted(*[flood, Hang(0.01)] * 400, say("late"), generations=(1,))
    got = outcome(engine.stream(ask()))
    assert got.done.text == "late" and got.done.degraded == ("resumed",)


def test_floods_both_ways_do_not_block_each_other(scripted: Any, outcome: Any) -> None:
    """Requests that wait to be read, and answers that wait to be read: two full pipes."""
    engine = scripted(Flood(12_000))
    outcome(engine.stream(ask(max_tokens=12_000)))
    requests = [ask("y" * 400_000, max_tokens=12_000, deadline=60.0) for _ in range(6)]
    got: list[Any] = []
    threads = [threading.Thread(target=lambda r=r: got.append(outcome(engine.stream(r)))) for r in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.done and len(one.done.text) for one in got] == [12_000] * 6


def test_a_malformed_record_breaks_the_protocol(scripted: Any, outcome: Any) -> None:
    oversize = "ffffffff00"
    others = ["0000000000", "02000000ff", "0400000064656570", "02000000" + b"{}".hex()]
    always = scripted(say("ab"), Garble(oversize), say("cd")).stream(ask())
    once = [
        scripted(say("ab"), Garble(raw), say("cd"), generations=(1,)).stream(ask()) for raw in (oversize, *others)
    ]
    got = outcome(always)
    assert (
        isinstance(got.error, ProtocolBroken) and got.text == "ab" and str(LIMITS.record_bytes) in got.error.message
    )
    for stream in once:
        assert (done := outcome(stream).done) and done.text == "abcd" and done.degraded == ("resumed",)


def frame(record: dict[str, Any]) -> str:
    body = json.dumps(record).encode()
    return (len(body).to_bytes(4, "little") + body).hex()


@pytest.mark.parametrize(
    "record",
    [
        {"record": "emitted", "id": 999, "text": "not yours", "tokens": [1]},
        {"record": "ended", "id": 999, "done": {"text": "not yours"}},
        {"record": "rendered", "id": 1, "segments": []},
        {"record": "beat", "phase": "idle", "progress": -5},
    ],
    ids=lambda r: r["record"],
)
def test_a_record_for_nobody_reaches_nobody(scripted: Any, outcome: Any, record: dict[str, Any]) -> None:
    assert outcome(scripted(say("ab"), Garble(frame(record)), say("cd")).stream(ask())).done.text == "abcd"


def test_a_failure_with_hostile_details_ends_the_request_and_nothing_else(scripted: Any, outcome: Any) -> None:
    told = {
        "record": "failed",
        "code": "tool_failed",
        "message": "m",
        "hint": "h",
        "details": {"message": 1, "self": 2},
    }
    engine = scripted(say("a"), Garble(frame({**told, "id": 1})), say("b"), poison="BAD")
    got = outcome(engine.stream(ask("BAD")))
    assert got.error.code == "tool_failed" and got.error.details == {"message": 1, "self": 2}
    assert outcome(engine.stream(ask())).done.text == "ab"


def test_a_worker_that_gives_up_says_why_and_is_replaced(scripted: Any, outcome: Any) -> None:
    """A failure of the worker itself after its start once ended everybody's request for good."""
    told = failed(0, ContextOverflow("no room in the engine"))
    raw = frame({"record": "failed", "id": 0, "code": told.code, "message": told.message, "hint": told.hint})
    once = scripted(say("ab"), Garble(raw), Die(0, 1), say("cd"), generations=(1,))
    assert outcome(once.stream(ask())).done.text == "abcd"
    always = outcome(scripted(say("ab"), Garble(raw), Die(0, 1), say("cd")).stream(ask()))
    assert isinstance(always.error, ContextOverflow) and always.error.message == "no room in the engine"


# --- poison --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "actions",
    [(Die(11), say("abcd")), (say("ab"), Die(6), say("cd")), (say("ab"), Garble("ffffffff"), say("cd"))],
    ids=["before the first token", "in the middle", "garbage"],
)
def test_poison_among_eight_fails_alone(scripted: Any, outcome: Any, actions: Any) -> None:
    engine = scripted(*actions, poison="POISON")
    got = together(engine, outcome, [ask("POISON" if i == 3 else f"request {i}") for i in range(8)])
    assert [one.done and one.done.text for one in got] == [None if i == 3 else "abcd" for i in range(8)]
    assert isinstance(got[3].error, WorkerCrashed | ProtocolBroken)
    assert outcome(engine.stream(ask("later"))).done.text == "abcd"


def test_two_poisons_among_six_fail_alone(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("a"), Die(11), say("b"), poison="POISON")
    got = together(engine, outcome, [ask("POISON" if i in (0, 5) else f"request {i}") for i in range(6)])
    assert [bool(one.error) for one in got] == [True, False, False, False, False, True]


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_who_kills_its_worker_itself_fails_alone(scripted: Any, outcome: Any, number: str) -> None:
    """It looks like a kill from outside, of which no request was once ever charged; its neighbours were given up."""
    engine = scripted(Die(int(getattr(signal, number))), say("ab"), poison="POISON")
    got = together(engine, outcome, [ask("POISON" if i == 1 else f"request {i}") for i in range(4)])
    assert [one.done and one.done.text for one in got] == ["ab", None, "ab", "ab"]
    assert isinstance(got[1].error, WorkerCrashed) and number in got[1].error.message
    assert engine.stream(ask("POISON")), "its input is not refused: it may have been innocent"


def test_scores_and_counts_survive_a_neighbours_poison(scripted: Any, outcome: Any) -> None:
    engine = scripted(Die(11), say("a"), poison="POISON")
    prompt = (Segment("x", True),)
    got = together(engine, outcome, [ask("POISON"), Score(prompt, ("a", "bb")), Count(prompt), ask("ok")])
    assert isinstance(got[0].error, WorkerCrashed)
    assert got[1].done.scores == ((-1.0, 1), (-2.0, 2)) and got[2].done.count == 1 and got[3].done.text == "a"


def test_a_suspect_that_is_cleared_lets_the_others_in(scripted: Any, outcome: Any) -> None:
    """The first worker dies with four that had no token yet; none of them is to blame."""
    engine = scripted(Die(11), say("ab" * 20), generations=(1,), seconds_per_token=0.01)
    got = together(engine, outcome, [ask(f"{i}") for i in range(4)])
    assert [one.done.text for one in got] == ["ab" * 20] * 4
    assert all(one.done.degraded == ("resumed",) for one in got)


def test_dropping_a_suspect_lets_the_others_in(scripted: Any, outcome: Any, limits: Any) -> None:
    """Generation 1 dies; in generation 2 the first suspect, tried alone, hangs until its caller gives up."""
    engine = scripted(Die(11), say("ab"), poison="BAD", generations=(1,))
    hanging = engine.stream(ask("BAD"))
    others = [engine.stream(ask(f"{i}")) for i in range(3)]
    hanging.close()
    assert [outcome(one).done.text for one in others] == ["ab"] * 3


def test_the_same_poison_is_refused_for_a_while_and_costs_no_worker(scripted: Any, outcome: Any) -> None:
    engine = scripted(Die(11), say("ab"), poison="BAD")
    assert isinstance(outcome(engine.stream(ask("BAD"))).error, WorkerCrashed)
    starts = engine._starts
    with pytest.raises(PoisonRefused) as caught:
        engine.stream(ask("BAD", max_tokens=7))
    assert engine._starts == starts and engine._tickets == {}
    assert 0 < caught.value.details["retry_after"] <= LIMITS.poison_seconds
    assert outcome(engine.stream(ask("good"))).done.text == "ab"


def test_kills_from_outside_poison_nothing(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(restarts=1)
    engine = scripted(Die(int(signal.SIGTERM)), say("ab"), generations=(1, 2))
    assert isinstance(outcome(engine.stream(ask())).error, WorkerCrashed)
    assert outcome(engine.stream(ask())).done.text == "ab"


# --- kills from outside --------------------------------------------------------------------------


def test_twenty_kills_lose_nothing_and_double_nothing(scripted: Any, outcome: Any) -> None:
    text = "".join(f"{i:04d} é" for i in range(80))
    engine = scripted(say(text), seconds_per_token=0.002)
    draw, over, killed = random.Random(20), threading.Event(), []

    def kill() -> None:
        while len(killed) < 20 and not over.is_set():
            eventually(lambda: engine.ready or over.is_set())
            time.sleep(draw.uniform(0.01, 0.1))
            if (pid := engine.pid) and not over.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                eventually(lambda pid=pid: engine.pid != pid)

    streams = [engine.stream(ask(f"{i}", max_tokens=2_000)) for i in range(4)]
    killer = threading.Thread(target=kill)
    killer.start()
    got = [outcome(stream) for stream in streams]
    over.set()
    killer.join()
    assert len(killed) >= 15, "the streams ended before the kills"
    for one in got:
        assert one.done, one.error
        assert one.done.text == one.text == text and bytes(one.tokens).decode() == text
        assert one.done.degraded == ("resumed",)


def test_kills_in_load_and_in_idle(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("abc"))
    for _ in range(2):
        engine.warm()
        os.kill(eventually(lambda: engine.pid), signal.SIGKILL)
        assert outcome(engine.stream(ask())).done.text == "abc"
        os.kill(engine.pid, signal.SIGKILL)
        eventually(lambda: engine.pid is None)


def test_a_worker_that_nobody_waits_for_is_not_replaced(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("abc"))
    engine.warm()
    outcome(engine.stream(ask()))
    engine.warm()  # it runs already: this asks for nothing
    os.kill(engine.pid, signal.SIGKILL)
    eventually(lambda: engine.pid is None)
    time.sleep(0.5)
    assert engine.pid is None
    engine.warm()
    eventually(lambda: engine.ready)


def test_kills_from_outside_blame_nobody(scripted: Any, outcome: Any, limits: Any) -> None:
    """Three deaths before its first token would convict a request, if they were its own."""
    engine = scripted(Hang(0.4), say("abc"))
    stream = engine.stream(ask())
    for _ in range(3):
        ready = eventually(lambda: engine.ready and engine.pid)
        os.kill(ready, signal.SIGKILL)
        eventually(lambda ready=ready: engine.pid != ready)
    assert outcome(stream).done.text == "abc"


TABLE = 'Book "La Piazza" in Rome for 4 people at 7, then the Ritz (Paris) for 2.'
PARTS = tuple(
    part
    for i in range(6)
    for part in (
        Fixed('{"people": ' if i == 0 else ', {"people": '),
        Hole(f"n{i}", Number((4, 7, 2), True)),
        Fixed(', "place": "'),
        Hole(f"p{i}", Copy(TABLE, 4)),
        Fixed('", "meal": "'),
        Hole(f"m{i}", Choice(("lunch", "dinner"))),
        Fixed('"}'),
    )
)


def test_five_kills_of_the_real_model_in_a_constrained_answer(new_supervisor: Any, chat: Any) -> None:
    engine = new_supervisor(context=1024)
    stream = engine.stream(Generate(chat(TABLE), constraint=Holes(PARTS), max_tokens=400))
    shown, seen, kills = "", 0, [2, 5, 8, 11, 14]
    for event in stream:
        if isinstance(event, Piece):
            shown, seen = shown + event.text, seen + 1
            if kills and seen >= kills[0]:
                kills.pop(0)
                os.kill(eventually(lambda: engine.ready and engine.pid), signal.SIGKILL)
                dead_one = engine.ready
                eventually(lambda dead_one=dead_one: engine.ready is not dead_one)
        else:
            done = event
    engine.close()
    assert kills == [] and done.degraded == ("resumed",) and done.finish == "constraint"
    assert done.text == shown, "what was shown is not what it says now"
    found = done.captures
    expected = ", ".join(
        f'{{"people": {found[f"n{i}"]}, "place": "{found[f"p{i}"]}", "meal": "{found[f"m{i}"]}"}}' for i in range(6)
    )
    assert done.text == expected
    assert all(found[f"p{i}"] in TABLE and found[f"n{i}"] in ("4", "7", "2") for i in range(6))


# --- giving up, and coming back ------------------------------------------------------------------


def test_a_crash_loop_ends_and_does_not_spin(scripted: Any, outcome: Any, limits: Any) -> None:
    """SIGTERM blames nobody, so only the budget of restarts ends this, with back-off in between."""
    limits(restarts=3)
    engine = scripted(Die(int(signal.SIGTERM)))
    started = time.monotonic()
    got = outcome(engine.stream(ask()))
    assert isinstance(got.error, WorkerCrashed) and "SIGTERM" in got.error.message
    assert engine._starts == 4
    assert time.monotonic() - started > 0.1 + 0.2 + 0.4
    time.sleep(0.3)
    assert engine.pid is None and engine._starts == 4


def test_a_load_that_always_crashes_ends_sooner(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("a"), load=(Die(6),))
    assert isinstance(outcome(engine.stream(ask())).error, WorkerStartFailed)
    assert engine._starts == LIMITS.request_deaths


def test_answers_between_deaths_keep_the_worker(scripted: Any, outcome: Any, limits: Any) -> None:
    """It was once given up after six deaths, however much it had answered between them."""
    limits(restarts=2)
    engine = scripted(Die(11), say("ab"), poison="BAD")
    for i in range(3):
        assert outcome(engine.stream(ask(f"good {i}"))).done.text == "ab"
        good = engine.stream(ask(f"beside {i}"))
        assert isinstance(outcome(engine.stream(ask(f"BAD {i}"))).error, WorkerCrashed)
        assert outcome(good).done.text == "ab"


def test_after_giving_up_a_new_request_gets_a_new_worker(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(restarts=1)
    loop = scripted(Die(int(signal.SIGTERM)), say("ab"), generations=(1, 2))
    assert isinstance(outcome(loop.stream(ask())).error, WorkerCrashed)
    assert outcome(loop.stream(ask())).done.text == "ab"


def test_without_descriptors_a_worker_is_waited_for(scripted: Any, outcome: Any) -> None:
    """It was once the end of every request that waited."""
    engine = scripted(say("ab"))
    held = exhaust()
    try:
        stream = engine.stream(ask())
        time.sleep(0.3)
    finally:
        for fd in held:
            os.close(fd)
    assert outcome(stream).done.text == "ab"


def test_without_descriptors_for_good_there_is_a_typed_error(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(restarts=2)
    engine = scripted(say("ab"))
    held = exhaust()
    try:
        error = outcome(engine.stream(ask())).error
    finally:
        for fd in held:
            os.close(fd)
    assert isinstance(error, WorkerStartFailed) and "ulimit" in error.hint
    assert outcome(engine.stream(ask())).done.text == "ab"


def exhaust() -> list[int]:
    """Every descriptor that this process may still have."""
    held = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    with contextlib.suppress(OSError):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(held) and max(held) + 1, hard))
    return held


@pytest.fixture(autouse=True)
def as_many_descriptors_as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "kind"),
    [
        (Schema({"enum": ["\ud800"]}), RequestError),
        (Schema({"enum": [object()]}), RequestError),
        (Number((float("inf"),)), RequestError),
        (Choice(("x" * LIMITS.record_bytes,)), RequestTooLarge),
    ],
    ids=["half a character", "no JSON", "infinity", "too large"],
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_request_that_cannot_be_sent_harms_nobody(
    scripted: Any, outcome: Any, constraint: Any, kind: type[Exception], warm: bool
) -> None:
    """On a cold start it once ended the supervisor's thread, and left every caller waiting."""
    engine = scripted(say("ab" * 30), seconds_per_token=0.005)
    if warm:
        outcome(engine.stream(ask()))
    other = engine.stream(ask("other"))
    with pytest.raises(kind):
        engine.stream(ask(constraint=constraint))
    assert outcome(other).done.degraded == ()
    assert engine._tickets == {}


def test_a_queue_that_is_full_refuses_the_overflow_and_nothing_else(scripted: Any, outcome: Any, limits: Any) -> None:
    limits(queue=5)
    engine = scripted(say("ab" * 20), seconds_per_token=0.01)
    streams = []
    for _ in range(5):
        streams.append(engine.stream(ask()))
    for _ in range(3):
        with pytest.raises(QueueFull) as caught:
            engine.stream(ask())
    assert caught.value.details == {"queue": 5} and caught.value.retryable
    assert [outcome(stream).done.text for stream in streams] == ["ab" * 20] * 5
    assert outcome(engine.stream(ask())).done.text == "ab" * 20


def test_a_deadline_counts_from_submission(scripted: Any, outcome: Any) -> None:
    """Nobody looks for longer than it, and it has passed when somebody does."""
    engine = scripted(say("x" * 4_000), seconds_per_token=0.05)
    stream = engine.stream(ask(max_tokens=4_000, deadline=0.6))
    time.sleep(0.7)
    started = time.monotonic()
    got = outcome(stream)
    assert isinstance(got.error, DeadlineExceeded) and got.error.details == {"seconds": 0.6}
    assert time.monotonic() - started < 20
    assert engine._tickets == {}


def test_a_deadline_counts_from_before_if_it_is_told_to(scripted: Any, outcome: Any) -> None:
    got = outcome(scripted(say("a")).stream(ask(deadline=60.0), since=time.monotonic() - 61.0))
    assert isinstance(got.error, DeadlineExceeded) and got.error.details == {"seconds": 60.0}


def test_a_deadline_holds_while_the_worker_hangs(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("a"), Die(int(signal.SIGSTOP)))
    engine.warm()
    eventually(lambda: engine.ready)
    got = outcome(engine.stream(ask(deadline=3.0)))
    assert isinstance(got.error, DeadlineExceeded) and got.text == "a"


def test_a_stream_is_over_when_it_is_over(scripted: Any) -> None:
    stream = scripted(say("ab")).stream(ask())
    events = list(stream)
    assert isinstance(events[-1], Done) and list(stream) == []
    stream.close()
    stream.close()


def test_closing_early_cancels_in_the_worker(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("x" * 4_000), seconds_per_token=0.01)
    streams = [engine.stream(ask(f"{i}", max_tokens=4_000)) for i in range(10)]
    for stream in streams:
        next(stream)
        stream.close()
    started = time.monotonic()
    assert len(outcome(engine.stream(ask(max_tokens=20))).done.text) == 20
    assert time.monotonic() - started < 20.0, "ten cancelled streams still take their turns"


def test_submitting_starts_the_work_before_anybody_looks(scripted: Any) -> None:
    stream = scripted(say("ab")).stream(ask())
    eventually(lambda: stream._ticket.events.qsize() == 3)
    assert isinstance(list(stream)[-1], Done)


def test_many_threads_share_one_worker(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("abc"))
    got: list[Any] = []

    def work() -> None:
        for _ in range(10):
            got.append(outcome(engine.stream(ask())))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.done.text for one in got] == ["abc"] * 80 and engine._starts == 1


# --- the end -------------------------------------------------------------------------------------


def closing(engine: Supervisor) -> float:
    pid, started = engine.pid, time.monotonic()
    engine.close()
    assert engine.pid is None and (pid is None or dead(pid)), "a worker is left"
    return time.monotonic() - started


def test_closing_an_idle_worker(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("ab"))
    outcome(engine.stream(ask()))
    assert closing(engine) < 1.0
    assert closing(engine) < 0.1, "closing again is nothing"


def test_closing_what_never_started(scripted: Any) -> None:
    assert closing(scripted(say("ab"))) < 0.1


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.05, 0.15])
def test_closing_while_it_starts(scripted: Any, pause: float) -> None:
    """A worker that was being started when its supervisor closed once lived on for ever."""
    engine = scripted(say("ab"))
    engine.warm()
    time.sleep(pause)
    closing(engine)
    time.sleep(0.3)
    assert engine.pid is None and threading.active_count() < 50


@pytest.mark.parametrize("action", [Hang(60.0), Die(int(signal.SIGSTOP))], ids=["hang", "SIGSTOP"])
def test_closing_a_worker_that_hangs(scripted: Any, action: Action) -> None:
    engine = scripted(say("a"), action)
    stream = engine.stream(ask())
    next(stream)
    time.sleep(0.1)
    assert closing(engine) < 4.0
    with pytest.raises(WorkerCrashed, match="closed"):
        list(stream)


def test_closing_fails_what_still_runs(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("x" * 1_000), seconds_per_token=0.02)
    streams = [engine.stream(ask()) for _ in range(3)]
    next(streams[0])
    closing(engine)
    assert all(isinstance(outcome(stream).error, WorkerCrashed) for stream in streams)


def test_a_closed_supervisor_starts_again_when_asked(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("ab"))
    for _ in range(2):
        assert outcome(engine.stream(ask())).done.text == "ab"
        closing(engine)


def test_closing_from_many_threads(scripted: Any) -> None:
    engine = scripted(say("x" * 1_000), seconds_per_token=0.02)
    next(engine.stream(ask()))
    threads = [threading.Thread(target=engine.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.pid is None


def test_twenty_lives_leave_no_descriptor_and_no_thread(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("ab"), Die(11), say("c"), generations=tuple(range(1, 100, 2)))
    outcome(engine.stream(ask()))
    engine.close()
    descriptors, threads = open_descriptors(), threading.active_count()
    for _ in range(4):
        assert outcome(engine.stream(ask())).done.text == "abc"
        engine.close()
    assert open_descriptors() == descriptors
    assert threading.active_count() <= threads


@pytest.fixture(autouse=True)
def no_thread_dies() -> Iterator[None]:
    """A supervisor whose thread ends by an exception leaves its callers waiting for ever."""
    died: list[Any] = []
    before, threading.excepthook = threading.excepthook, died.append
    yield
    threading.excepthook = before
    assert not died, died


def test_it_runs_without_a_main_thread_to_help_it() -> None:
    """And the program ends by itself, though nobody closes anything."""
    program = """
import threading
from linnet.protocol import *
from linnet.script import *
from linnet.requests import *
from linnet.runtime.supervisor import Supervisor
s = Supervisor(Load(script=Script((Say("6162"),))))
out = []
t = threading.Thread(target=lambda: out.append(complete(s, Generate((Segment("x", True),))).text))
t.start(); t.join()
print(out)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert (ran.stdout.strip(), ran.stderr) == ("['ab']", "")
