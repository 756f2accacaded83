"""Time that a child could have used: what its threads waited for a processor is left out, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linnet.runtime.silence import AWAY_SECONDS, LOOK_SECONDS, Silence, Strand, threads, usable

SLEEPS = Strand(5.0, 1.0)


@pytest.mark.parametrize(
    ("before", "now", "left"),
    [
        ({}, {}, 1.0),  # nobody tells
        ({1: SLEEPS}, {1: SLEEPS}, 1.0),  # asleep, or stopped
        ({1: SLEEPS}, {1: Strand(6.0, 1.0, True)}, 1.0),  # it ran all the time
        ({1: SLEEPS}, {1: Strand(5.25, 1.75, True)}, 0.25),  # it ran a quarter, and waited for the rest
        ({1: SLEEPS}, {1: Strand(5.25, 1.25)}, 0.75),  # it slept for a half as well
        ({1: SLEEPS}, {1: Strand(5.0, 1.0, True)}, 0.0),  # it waits still, and the kernel has not counted it
        ({1: SLEEPS}, {1: Strand(5.25, 31.0, True)}, 0.25),  # what the kernel counts late counts once
        ({1: SLEEPS, 2: SLEEPS}, {1: SLEEPS, 2: Strand(5.1, 1.6)}, 0.4),  # one sleeps until the other is done
        ({1: SLEEPS, 2: SLEEPS}, {1: SLEEPS}, 1.0),  # one has ended
        ({1: SLEEPS}, {1: SLEEPS, 2: Strand(0.5, 0.5, True)}, 0.5),  # one is new
        ({1: SLEEPS, 2: SLEEPS}, {1: SLEEPS, 2: Strand(5.1, 1.9, ours=True)}, 0.1),  # it sleeps, and we have to wait
        (
            {1: SLEEPS},
            {1: Strand(6.0, 1.0), 2: Strand(0.0, 9.0, ours=True)},
            0.125,
        ),  # it spins; what we ran is not its
    ],
)
def test_what_a_process_could_have_used_of_a_second(
    before: dict[int, Strand], now: dict[int, Strand], left: float
) -> None:
    assert usable(1.0, before, now, processors=8) == pytest.approx(left)


def test_who_starves_itself_has_had_the_machine() -> None:
    """A hundred threads that spin on two processors each wait for nearly all the time."""
    before = {id: Strand() for id in range(100)}
    now = {id: Strand(0.02, 0.98, True) for id in range(100)}
    assert usable(1.0, before, now, processors=2) == pytest.approx(1.0)
    assert usable(1.0, before, now, processors=100) == pytest.approx(0.02)


def test_a_silence_grows_until_it_is_broken_or_over() -> None:
    silent = Silence()
    silent.look(os.getpid())
    assert silent.verdict(1.0, 9.0) == ""
    start = time.monotonic()
    for second in range(1, 4):  # waiting all the time
        silent.seen(start + second, {1: Strand(1.0, 0.0, True)})
    assert silent.used == 0.0 and silent.clock == pytest.approx(3.0, abs=0.5)
    assert silent.verdict(1.0, 9.0) == "" and silent.verdict(1.0, 2.0) == "starved"
    for second in (5, 7):
        silent.seen(start + second, {1: Strand(1.0, 3.0)})  # and then asleep; what it waited is told at first
    assert silent.verdict(1.0, 9.0) == "hung"
    silent.broken()
    assert silent.verdict(1.0, 9.0) == "hung", "until the next look"
    silent.look(os.getpid())
    assert silent.used == silent.clock == 0.0 and silent.verdict(1.0, 9.0) == ""


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """This process was stopped, or frozen together with the child."""
    silent = Silence()
    silent.look(os.getpid())
    silent.seen(time.monotonic() + 3_600.0, {1: SLEEPS})
    assert silent.used == silent.clock == AWAY_SECONDS


# --- as the kernel tells it ----------------------------------------------------------------------


@pytest.fixture
def spinners() -> Iterator[list[int]]:
    """Two programs that spin on one processor."""
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    processor = min(os.sched_getaffinity(0))
    for one in made:
        os.sched_setaffinity(one.pid, {processor})
    yield [one.pid for one in made]
    for one in made:
        one.kill()
        one.wait()


def between(pid: int, seconds: float) -> tuple[float, float]:
    """Seconds that passed, and those that the process could have used."""
    before, began = threads(pid), time.monotonic()
    time.sleep(seconds)
    now, passed = threads(pid), time.monotonic() - began
    return passed, usable(passed, before, now, os.cpu_count() or 1)


def test_a_wait_for_a_processor_is_seen_and_a_stop_is_none(spinners: list[int]) -> None:
    time.sleep(0.5)
    passed, left = between(spinners[0], 2.0)
    assert left < 0.8 * passed, "it has half of the processor at the most"
    os.kill(spinners[0], signal.SIGSTOP)
    time.sleep(0.5)
    passed, left = between(spinners[0], 0.5)
    assert left > 0.9 * passed


def test_of_this_process_only_the_hands_of_the_child_count() -> None:
    """A host with a thread that is busy, or waits for a processor, has not fed its child any later for it."""
    over = threading.Event()
    hand, other = (threading.Thread(target=over.wait) for _ in range(2))
    hand.start()
    other.start()
    silent, seen = Silence(), []
    try:
        silent.look(os.getpid())
        silent.seen = lambda now, strands: seen.append(strands)  # type: ignore[method-assign]
        time.sleep(2 * LOOK_SECONDS)
        assert hand.native_id is not None and other.native_id is not None
        silent.look(1, [hand.native_id])
        silent.look(1, None)
    finally:
        over.set()
    few, all_of_them = ({id for id, strand in strands.items() if strand.ours} for strands in seen)
    assert few == {threading.get_native_id(), hand.native_id}
    assert all_of_them >= few | {other.native_id}, "one of them may hold the interpreter"


def test_where_nobody_tells_all_time_counts(tmp_path: Path) -> None:
    assert threads(1, tmp_path) == {}
    task = tmp_path / "7" / "task" / "7"
    task.mkdir(parents=True)
    assert threads(7, tmp_path) == {}, "no such files"
    (task / "stat").write_text("7 (a) b) R 1 7 7")
    (task / "schedstat").write_text("0 0 0\n")
    assert threads(7, tmp_path) == {}, "a kernel that does not count"
    (task / "schedstat").write_text("2000000000 500000000 12\n")
    assert threads(7, tmp_path) == {7: Strand(2.0, 0.5, True)}
