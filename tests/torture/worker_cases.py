"""Worker: killed, ended by every signal, stopped, starved, poisoned, and left behind by its parent."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time

from harness import ORPHAN_SECONDS, Accepted, Trial, case, expect, gone, kill, of_pytest, of_script, wait
from lateness import between, waited

from linnet.errors import (
    LinnetError,
    OutOfMemory,
    PoisonRefused,
    ProtocolBroken,
    WorkerCrashed,
    WorkerHung,
    WorkerStartFailed,
)
from linnet.limits import Sandbox
from linnet.runtime.supervisor import Supervisor
from linnet.script import Deed, Die, Eat, Echo, Garble, Hang

SIGNALS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTERM")
PHASES = ("load", "prefill", "decode", "idle")
RECOVERY = {"scripted": 1.0, "real": 3.0}
"""Seconds within which 95 of 100 kills are followed by the next piece, less what was waited for a processor."""


@case("kill", "Worker", small=6, scripted=1_000, real=100, worst="from a kill to the next piece of any stream")
def kill_at_random_phases_of_eight_streams(trial: Trial) -> None:
    """Eight streams run at all times; each kill is an attempt. None may be lost, and nothing be said twice."""
    engine = trial.open(seconds_per_token=0.002)
    running, own = [trial.ask(engine, 24) for _ in range(8)], list[float]()
    while trial.made < trial.tries and not trial.late:
        time.sleep(trial.draw.uniform(0.0, 0.25 if trial.engine == "scripted" else 0.6))
        running = [_ended(trial, one) or trial.ask(engine, 24) if one.outcomes else one for one in running]
        with trial.attempt():
            pid, killed, before = wait(lambda: engine.pid), time.monotonic(), waited("self")
            if kill(pid):
                trial.seconds.append(_next_piece(running, killed) - killed)
                own.append(trial.seconds[-1] - between(before, waited("self", engine.pid)))
    for one in running:
        _ended(trial, one.join())
    p95 = sorted(own)[int(0.95 * (len(own) - 1))] if own else 0.0
    if trial.tries >= 50 and p95 > RECOVERY[trial.engine]:
        trial.faults.append(f"recovery took {p95:.2f} s in the 95th of 100, without waits for a processor")


def _ended(trial: Trial, one: Accepted) -> None:
    """Every stream ends in Done, whatever was killed meanwhile."""
    if one.done is None or not one.text.startswith(one.nonce):
        trial.faults.append(f"a stream was lost: {one.error or one.outcomes or 'it has no end'}"[:300])


def _next_piece(running: list[Accepted], after: float) -> float:
    def came() -> float:
        return min((m for one in running for m in one.moments[-64:] if m > after), default=0.0)

    def all_ended() -> bool:
        return all(one.outcomes for one in running)

    return wait(lambda: came() or (all_ended() and after + 1e-9))


@case("signal", "Worker", small=4, scripted=240, real=24)
def every_signal_in_every_phase(trial: Trial) -> None:
    """A death by each of six signals in load, prefill, decode and idle: the stream that runs, or comes, is whole."""
    ways = [(name, phase) for name in SIGNALS for phase in PHASES]
    trial.draw.shuffle(ways)
    for i in trial.rounds():
        name, phase = ways[i % len(ways)]
        with trial.attempt(f"{name} in {phase}"):
            engine = trial.open(Hang(0.2), Echo(), seconds_per_token=0.002)
            one = _struck(trial, engine, phase, getattr(signal, name))
            expect(one.join().done, f"it ended as {one.error!r}")
            engine.close()


def _struck(trial: Trial, engine: Supervisor, phase: str, number: int) -> Accepted:
    """A request to a worker that gets a signal in that phase."""
    if phase == "idle":
        trial.ask(engine, 2).join()
        kill(engine.pid, number)
        return trial.ask(engine, 2)
    one = trial.ask(engine, 12 if trial.engine == "scripted" else 24)
    if phase == "load":
        wait(lambda: engine.pid)
        time.sleep(trial.draw.uniform(0.0, 0.3))
    elif phase == "prefill":
        wait(lambda: engine.ready)
        time.sleep(0.05)
    else:
        wait(lambda: len(one.moments) > 3 or one.outcomes)
    kill(engine.pid, number)
    return one


@case("stopped", "Worker", small=0, scripted=4, real=2, worst="from SIGSTOP to the end of that worker")
def sigstop_is_found_within_ten_seconds(trial: Trial) -> None:
    """Idle and in mid-answer: found, replaced, and the stream goes on."""
    for i in trial.rounds():
        with trial.attempt("idle" if i % 2 else "in mid-answer"):
            engine = trial.open(seconds_per_token=0.02)
            one = trial.ask(engine, 40)
            wait(lambda one=one: len(one.moments) > 3 or one.outcomes)
            if i % 2:
                one.join()
            pid, stopped, before = engine.pid, time.monotonic(), waited("self")
            kill(pid, signal.SIGSTOP)
            wait(lambda engine=engine, pid=pid: engine.pid != pid)
            trial.seconds.append(time.monotonic() - stopped)
            own = trial.seconds[-1] - between(before, waited("self"))
            expect(own <= 10.0, f"found after {own:.1f} s, without waits for a processor")
            expect(one.join().done, f"it ended as {one.error!r}")
            engine.close()


@case("long", "Worker", small=2, scripted=200, worst="of the answer")
def long_honest_work_is_never_killed(trial: Trial) -> None:
    """An answer as slow as progress may be: a token every 3 s, for ten minutes or the time there is."""
    engine = trial.open(seconds_per_token=3.0 if trial.tries > 10 else 0.5)
    started = time.monotonic()
    one = trial.ask(engine, trial.tries // 5 + 1, max_tokens=trial.tries, deadline=3_600.0)
    seen = 0
    while not one.outcomes and not trial.late:
        time.sleep(0.1)
        if len(one.moments) > seen:
            seen = len(one.moments)
            trial.made += 1
    trial.made = max(trial.made, len(one.moments))
    trial.seconds.append(time.monotonic() - started)
    ended = one.done is None or "resumed" in one.done.degraded
    if (one.outcomes and ended) or engine.health().starts != 1:
        trial.faults.append(f"it was taken for a hang: {one.error or one.done}"[:300])


WORK = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\nsay('ab')"


@case("starved", "Worker", small=0, scripted=3, worst="of an answer that has to wait for a processor")
def a_worker_without_a_processor_is_no_hang(trial: Trial) -> None:
    """It comes last on a processor that another program holds for 20 s, longer than a hang may last: its answer comes
    whole, from the same worker. (A scheduler that groups by sessions gives it a half.)"""
    processors = os.sched_getaffinity(0)
    for _ in trial.rounds():
        with trial.attempt():
            engine = trial.open(Deed(WORK))
            trial.ask(engine, max_tokens=1).join()
            pid = wait(lambda engine=engine: engine.pid)
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                os.sched_setaffinity(spinner.pid, {min(processors)})
                os.sched_setaffinity(pid, {min(processors)})
                os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
                one = trial.ask(engine).join(20.0)
                os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
                os.sched_setaffinity(pid, processors)
            finally:
                spinner.kill()
                spinner.wait()
            one.join(300.0)
            expect(one.done and "resumed" not in one.done.degraded, f"it was taken for a hang: {one.error!r}")
            expect(engine.health().starts == 1, "another worker was started")
            engine.close()


@case("memory", "Worker", small=1, scripted=20, real=3)
def out_of_memory_is_one_typed_error(trial: Trial) -> None:
    """A worker within RLIMIT_DATA that takes more: the request ends as out_of_memory, the others go on."""
    for _ in trial.rounds():
        with trial.attempt():
            if trial.engine == "real":
                engine = trial.open(context=8_192, sandbox=Sandbox(memory=96 << 20))
                error = trial.ask(engine).join().error
                expect(isinstance(error, OutOfMemory), f"{error!r}")
            else:
                engine = trial.open(Eat(4_096), Echo(), poison="POISON", sandbox=Sandbox(memory=512 << 20))
                one, other = trial.ask(engine, poison="POISON"), trial.ask(engine)
                expect(isinstance(one.join().error, OutOfMemory), f"{one.error or one.done!r}")
                expect(other.join().done, f"its neighbour ended as {other.error!r}")
            engine.close()


@case("poison", "Worker", small=1, scripted=60)
def poison_among_fifteen_fails_alone(trial: Trial) -> None:
    """In every way to die, at the first token or in the middle; and the same input costs no further worker."""
    for _ in trial.rounds():
        way = trial.draw.choice((Die(11), Die(6), Die(7), Die(0, 3), Garble("ffffffff"), Die(8), Die(4)))
        actions = (way, Echo()) if trial.draw.random() < 0.5 else (Echo(), way, Echo())
        with trial.attempt(repr(way)):
            engine = trial.open(*actions, poison="POISON")
            place = trial.draw.randrange(16)
            streams = [trial.ask(engine, 4, "POISON" if i == place else "") for i in range(16)]
            poison = streams.pop(place).join()
            expect(isinstance(poison.error, WorkerCrashed | ProtocolBroken), f"the poison ended as {poison.error!r}")
            for one in streams:
                expect(one.join().done, f"an innocent ended as {one.error!r}")
            _refused_again(trial, engine)
            engine.close()


def _refused_again(trial: Trial, engine: Supervisor) -> None:
    again = trial.request("n000000000000", 0, "POISON again")
    error: LinnetError | None = None
    for _ in range(2):
        try:
            for _ in engine.stream(again):
                pass
        except LinnetError as caught:
            error = caught
        starts = engine.health().starts
    expect(isinstance(error, PoisonRefused), f"the same input was taken again: {error!r}")
    with contextlib.suppress(PoisonRefused):
        engine.stream(again)
    expect(engine.health().starts == starts, "a refusal started a worker")


@case("load", "Worker", small=1, scripted=40)
def a_model_that_aborts_at_load(trial: Trial) -> None:
    """However it dies while it loads, all that wait get one typed error, soon; and so does who comes later."""
    for _ in trial.rounds():
        way = trial.draw.choice((Die(6), Die(11), Die(4), Die(0, 1), Garble("ffffffff")))
        with trial.attempt(repr(way)):
            engine = trial.open(Echo(), load=(way,))
            for one in [trial.ask(engine) for _ in range(3)]:
                kinds = WorkerStartFailed | ProtocolBroken
                expect(isinstance(one.join().error, kinds), f"it ended as {one.error or one.done!r}")
            expect(engine.health().state == "failed", f"its health is {engine.health().state}")
            engine.close()


@case("hang", "Worker", small=0, scripted=3)
def what_always_hangs_ends_as_hung(trial: Trial) -> None:
    for _ in trial.rounds():
        with trial.attempt():
            engine = trial.open(Echo(), Hang(60.0), poison="POISON")
            one = trial.ask(engine, 2, "POISON")
            expect(isinstance(one.join().error, WorkerHung), f"it ended as {one.error or one.done!r}")
            expect(trial.ask(engine, 2).join().done, "the next request had no answer")
            engine.close()


@case("descriptors", "Worker", small=1, scripted=20)
def no_descriptors_left(trial: Trial) -> None:
    """A worker dies while this process cannot open anything; once it can again, the stream goes on."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    for _ in trial.rounds():
        with trial.attempt():
            engine = trial.open(seconds_per_token=0.01)
            one = trial.ask(engine, 20)
            wait(lambda one=one: len(one.moments) > 3)
            held = _exhaust()
            try:
                kill(engine.pid)
                time.sleep(trial.draw.uniform(0.05, 0.5))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                for fd in held:
                    os.close(fd)
            expect(one.join().done, f"it ended as {one.error!r}")
            engine.close()


def _exhaust() -> list[int]:
    held: list[int] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    with contextlib.suppress(OSError):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    return held


PARENT = """
import sys, time
from linnet.protocol import Load
from linnet.requests import Generate, Segment
from linnet.runtime.supervisor import Supervisor
from linnet.script import Hang, Say, Script
actions = (Say("61"), Hang(60.0)) if sys.argv[1] == "hangs" else (Say("61" * 4000),)
engine = Supervisor(Load(script=Script(actions, seconds_per_token=0.01)))
stream = engine.stream(Generate((Segment("x", True),), max_tokens=4000))
next(stream)
print(engine.pid, flush=True)
time.sleep(60)
"""


@case("orphan", "Worker", small=2, scripted=60, worst="from the parent's death to the child's")
def no_orphan_outlives_its_parent(trial: Trial) -> None:
    """kill -9 of the whole program: its worker, at work or hung, is gone within two seconds."""
    for i in trial.rounds():
        with trial.attempt():
            command = [sys.executable, "-c", PARENT, ("hangs", "works")[i % 2]]
            parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            parent.stdout.close()
            kill(parent.pid)
            parent.wait()
            ended = time.monotonic()
            wait(lambda pid=pid: gone(pid), ORPHAN_SECONDS)
            trial.seconds.append(time.monotonic() - ended)


@case("idle threads", "Worker", small=1, scripted=10)
def lives_leave_no_thread(trial: Trial) -> None:
    """Opened, used, killed and closed: as many threads as before."""
    before = threading.active_count()
    for _ in trial.rounds():
        with trial.attempt():
            engine = trial.open()
            trial.ask(engine, 4).join()
            kill(engine.pid)
            trial.ask(engine, 4).join()
            engine.close()
            wait(lambda: threading.active_count() <= before + 2, 5.0)


of_script("constrained kills", "Worker", "kill_worker.py", "--kills", engine="real", full=40, bounded=True)
of_script("cells", "Worker", "engine_cells.py", "--seeds 0", engine="plain", full=40, seed="", bounded=True)
of_pytest("renderer", "Worker", "tests/runtime/test_renderer.py")
