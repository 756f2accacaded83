"""Load on a small machine: many streams held, a burst past the queue, truthful health, a death every minute."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time

import harness
from harness import PATIENCE, Accepted, Trial, case, expect, kill, wait

from linnet.errors import QueueFull
from linnet.limits import LIMITS
from linnet.runtime.health import Prober
from linnet.script import Echo, Hang

SLOPE = 1.0
"""MiB an hour by which the caller may grow while a worker dies every minute."""

THINK = 0.25
"""Seconds between two requests of one client in the soak: it is to last, not to heat."""


@case("held", "Load", small=24, scripted=64, real=64, worst="from submission to the end")
def sixty_four_streams_are_held(trial: Trial) -> None:
    """Four are decoded at a time, the others wait their turn: no error."""
    engine = trial.open(sequences=4, seconds_per_token=0.001)
    started = time.monotonic()
    streams = [trial.ask(engine, 8) for _ in range(trial.tries)]
    for one in streams:
        with trial.attempt():
            expect(one.join().done, f"it ended as {one.error!r}")
            trial.seconds.append(one.moments[-1] - started)


@case("burst", "Load", small=0, scripted=2_000, worst="of a refusal")
def a_burst_past_the_queue_refuses_exactly_the_overflow(trial: Trial) -> None:
    """At once, while none can end: the queue's length is taken, and the rest is told to wait."""
    engine = trial.open(Hang(6.0), Echo(), poison="HOLD")
    first = trial.ask(engine, 1, "HOLD")
    wait(lambda: engine.ready)
    taken = [first]
    trial.made += 1
    for _ in range(trial.tries - 1):
        started = time.monotonic()
        with trial.attempt():
            try:
                taken.append(trial.ask(engine, 1, deadline=240.0))
            except QueueFull as error:
                expect(error.retryable and error.details["queue"] == LIMITS.queue, f"{error.details}")
                trial.seconds.append(time.monotonic() - started)
    if len(taken) != min(LIMITS.queue, trial.tries):
        trial.faults.append(f"{len(taken)} were taken; the queue holds {LIMITS.queue}")
    trial.faults += [f"a taken one ended as {one.error!r}" for one in taken if one.join().done is None]


@case("health", "Load", small=1, scripted=40, real=4, worst="of a look while it works")
def health_is_truthful(trial: Trial) -> None:
    """Ready only after a token; not ready while a worker is stopped past the window, or is being replaced."""
    for _ in trial.rounds():
        with trial.attempt():
            engine = trial.open(seconds_per_token=0.005)
            expect(not engine.health().ready, "ready before there was a worker")
            engine.warm()
            wait(lambda engine=engine: engine.ready, 60.0)
            expect(not engine.health().ready, "ready before the first token")
            expect(Prober(engine.health, engine.stream).probed().ready, "not ready on probe")
            one = trial.ask(engine, 20)
            wait(lambda one=one: one.moments or one.outcomes)
            looked = time.monotonic()
            expect(engine.health().ready, "not ready while it speaks")
            trial.seconds.append(time.monotonic() - looked)
            pid = engine.pid
            kill(pid)
            wait(lambda engine=engine, pid=pid: engine.pid != pid)
            found = engine.health()
            silent = found.silent is None or found.silent < 1.0
            expect(found.state != "ready" or silent, f"{found.state} by what a dead worker said")
            one.join()
            engine.close()
            expect(engine.health().state == "asleep", f"{engine.health().state} after its end")


@case("soak", "Load", small=0, scripted=60, worst="from a kill to the next answer")
def a_worker_is_killed_every_minute(trial: Trial) -> None:
    """As many minutes as attempts. The slope is of the second half: what Python keeps after a start is no leak."""
    engine = trial.open(seconds_per_token=0.001)
    samples: list[tuple[float, float]] = []
    started, stop, asked = time.monotonic(), threading.Event(), itertools.count()

    def load() -> None:
        while not stop.wait(THINK):
            next(asked)
            one = Accepted(engine.stream(trial.request("n000000000000")), "n000000000000")
            if one.join().done is None and not stop.is_set():
                trial.faults.append(f"a request was lost: {one.error!r}"[:300])

    threads = [threading.Thread(target=load, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    every = float(os.environ.get("LINNET_SOAK_SECONDS", "60"))
    for _ in trial.rounds():
        time.sleep(every)
        with trial.attempt():
            pid, killed = engine.pid, time.monotonic()
            kill(pid)
            wait(lambda pid=pid: engine.pid not in (None, pid) and engine.ready, PATIENCE)
            trial.seconds.append(time.monotonic() - killed)
        gc.collect()
        samples.append(((time.monotonic() - started) / 3600, harness._memory_mib()))
    stop.set()
    for thread in threads:
        thread.join(10.0)
    later = samples[len(samples) // 2 :]
    slope = _slope(later)
    memory = f"{samples[0][1]:.2f} MiB, then {samples[-1][1]:.2f}; {slope:+.2f} MiB/h"
    print(f"    the caller's memory: {memory}; {next(asked):,} requests", flush=True)
    if len(later) >= 15 and slope > SLOPE:
        trial.faults.append(f"the caller grows by {slope:.2f} MiB an hour")


def _slope(points: list[tuple[float, float]]) -> float:
    """Least squares; 0 for less than three points."""
    if len(points) < 3:
        return 0.0
    mean_x, mean_y = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
