"""The threads of a worker follow the load while it lives, and the load is what others do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from linnet.hardware import governor
from linnet.protocol import Load, Threads
from linnet.requests import Done, Generate, Segment
from linnet.runtime import child
from linnet.runtime.governed import Governed
from linnet.runtime.local import open_local
from linnet.runtime.supervisor import Stream, Supervisor
from linnet.script import Say, Script

TICKS = os.sysconf("SC_CLK_TCK")
ONE, TWO = governor.Threads(1, 1), governor.Threads(2, 2)


@dataclass
class MadeUp:
    """A file tree of a machine with some cores, of which others and we use as much as a test says."""

    root: Path
    count: int = 2
    idle: list[int] = field(default_factory=list)
    total: int = 1_000
    ours: dict[int, int] = field(default_factory=dict)

    def write(self) -> None:
        (self.root / "proc/self").mkdir(parents=True, exist_ok=True)
        (self.root / "proc/self/status").write_text(f"Cpus_allowed_list:\t0-{self.count - 1}\n")
        self.idle = self.idle or [500] * self.count
        lines = [f"cpu{i} {self.total - idle} 0 0 {idle} 0 0 0 0 0 0" for i, idle in enumerate(self.idle)]
        whole = self.root / "proc/stat.new"  # a reader must not see half of it
        whole.write_text("\n".join(lines) + "\n")
        whole.rename(self.root / "proc/stat")
        for pid, ticks in self.ours.items():
            (self.root / f"proc/{pid}").mkdir(exist_ok=True)
            (self.root / f"proc/{pid}/stat").write_text(f"{pid} (a ) b) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0")

    def spend(self, seconds: float, busy: float, ours: int = 0, mine: float = 0.0) -> None:
        """So much time went by, with so many cores busy; the child `ours` did `mine` cores' worth of it."""
        spent = round(seconds * TICKS)
        self.total += spent
        for i in range(self.count):
            self.idle[i] += spent - round(spent * min(1.0, max(0.0, busy - i)))
        if ours:
            self.ours[ours] = self.ours.get(ours, 0) + round(spent * mine)
        self.write()


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    machine = MadeUp(tmp_path)
    machine.write()
    return machine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("linnet.runtime.governed.time.monotonic", lambda: now[0])
    return now


def looked(governed: Governed, made_up: MadeUp, clock: list[float], *busy: float, **ours: Any) -> None:
    """A look after each second, with so many cores busy in it."""
    for cores in busy:
        made_up.spend(1.0, cores, **ours)
        clock[0] += 1.0
        governed.look()


# --- what is seen --------------------------------------------------------------------------------


def test_nothing_is_said_before_two_looks(made_up: MadeUp, clock: list[float]) -> None:
    governed = Governed(made_up.root, tuple)
    assert governed.threads("worker") is None
    governed.look()
    assert governed.threads("worker") is None
    looked(governed, made_up, clock, 0.0)
    assert governed.threads("worker") == TWO


def test_others_take_a_core_and_give_it_back(made_up: MadeUp, clock: list[float]) -> None:
    governed = Governed(made_up.root, tuple)
    governed.look()
    seen = []
    for busy in (0.0, 1.0, 1.0, 0.0, 0.0, 0.0):
        looked(governed, made_up, clock, busy)
        seen.append(governed.threads("worker"))
    assert seen == [TWO, ONE, ONE, ONE, ONE, TWO]


def test_what_our_own_children_do_is_not_others_work(made_up: MadeUp, clock: list[float]) -> None:
    made_up.ours[4_711] = 70
    made_up.write()
    governed = Governed(made_up.root, lambda: (4_711, 4_712))  # one of them has gone
    governed.look()
    looked(governed, made_up, clock, 2.0, ours=4_711, mine=2.0)
    assert governed.threads("worker") == TWO
    looked(governed, made_up, clock, 2.0, ours=4_711, mine=1.3)
    assert governed.threads("worker") == ONE


def test_a_look_comes_no_sooner_than_it_is_due(made_up: MadeUp, clock: list[float]) -> None:
    governed = Governed(made_up.root, tuple)
    governed.look()
    looked(governed, made_up, clock, 0.0)
    made_up.spend(0.4, 2.0)
    clock[0] += 0.4
    governed.look()
    assert governed.threads("worker") == TWO
    clock[0] += 0.2
    governed.look()
    assert governed.threads("worker") == ONE


def test_what_was_seen_long_ago_says_nothing(made_up: MadeUp, clock: list[float]) -> None:
    governed = Governed(made_up.root, tuple)
    governed.look()
    looked(governed, made_up, clock, 2.0)
    assert governed.threads("worker") == ONE
    made_up.spend(600.0, 2.0)
    clock[0] += 600.0
    governed.look()
    assert governed.threads("worker") is None, "an average over ten minutes is no answer either"
    looked(governed, made_up, clock, 0.0)
    assert governed.threads("worker") == TWO


def test_workers_that_are_busy_share_the_cores(made_up: MadeUp, clock: list[float]) -> None:
    made_up.count, made_up.idle = 8, []
    made_up.write()
    governed = Governed(made_up.root, tuple)
    governed.look()
    looked(governed, made_up, clock, 2.0)
    assert governed.threads("a") == governor.Threads(6, 6)
    assert governed.threads("b") == governor.Threads(3, 3)
    assert governed.threads("a") == governor.Threads(3, 3)
    governed.rest("b")
    governed.rest("b")
    assert governed.threads("a") == governor.Threads(6, 6)


def test_where_the_load_is_not_told_nothing_is_decided(tmp_path: Path, clock: list[float]) -> None:
    governed = Governed(tmp_path, tuple)
    for _ in range(3):
        governed.look()
        clock[0] += 1.0
    assert governed.threads("worker") is None


# --- a worker ------------------------------------------------------------------------------------


def ask(**fields: Any) -> Generate:
    return Generate((Segment("hi", True),), **fields)


def until(stream: Stream, what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Read on until it has come about."""
    deadline = time.monotonic() + seconds
    for _ in stream:
        if what():
            return
        assert time.monotonic() < deadline, "it did not come about"
    raise AssertionError("the answer was over before it came about")


@pytest.fixture
def slow_talker(made_up: MadeUp) -> Iterator[tuple[Supervisor, Governed]]:
    """A scripted worker on the made-up machine, which speaks for long."""
    governed = Governed(made_up.root, tuple, look_seconds=0.05)
    script = Script((Say("78" * 1_000),), seconds_per_token=0.02)
    supervisor = Supervisor(Load(script=script, decode_threads=2, prefill_threads=2), governed=governed)
    yield supervisor, governed
    supervisor.close()


def test_a_worker_is_told_in_mid_answer(slow_talker: tuple[Supervisor, Governed], made_up: MadeUp) -> None:
    supervisor, _ = slow_talker
    stream = supervisor.stream(ask(max_tokens=1_000))
    next(stream)

    def told(busy: float, threads: Threads) -> bool:
        made_up.spend(0.05, busy)
        return supervisor.threads == threads

    until(stream, lambda: told(2.0, Threads(1, 1)))
    until(stream, lambda: told(0.0, Threads(2, 2)))
    stream.close()


def test_the_next_worker_is_told_again(slow_talker: tuple[Supervisor, Governed], made_up: MadeUp) -> None:
    supervisor, _ = slow_talker
    stream = supervisor.stream(ask(max_tokens=1_000))
    next(stream)

    def one() -> bool:
        made_up.spend(0.05, 2.0)
        return supervisor.threads == Threads(1, 1)

    until(stream, one)
    first = supervisor.pid
    assert first is not None
    os.kill(first, 9)
    until(stream, lambda: supervisor.pid not in (None, first) and one())
    stream.close()


def test_without_a_governor_threads_stay(made_up: MadeUp) -> None:
    supervisor = Supervisor(Load(script=Script((Say("7878"),)), decode_threads=3, prefill_threads=5))
    try:
        assert isinstance([*supervisor.stream(ask())][-1], Done)
        assert supervisor.threads == Threads(3, 5)
    finally:
        supervisor.close()


def test_a_number_that_was_asked_for_stays(model_path: Path) -> None:
    model = open_local(str(model_path), context=512, threads=3)
    try:
        assert model.supervisor.threads == Threads(3, 3)
        assert model.supervisor.governed is None
    finally:
        model.close()


def test_left_to_the_machine_all_models_of_a_process_share_one_governor(model_path: Path) -> None:
    models = [open_local(str(model_path), context=512) for _ in range(2)]
    try:
        shared = {id(model.supervisor.governed) for model in models}
        assert len(shared) == 1
        assert models[0].supervisor.governed is not None
    finally:
        for model in models:
            model.close()


# --- the real thing ------------------------------------------------------------------------------

SPIN = "import os\nparent = os.getppid()\nprint(flush=True)\nwhile os.getppid() == parent: sum(range(50_000))"


def working(pid: int, before: dict[str, int]) -> dict[str, int]:
    """Ticks that each thread of a process used since `before`."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        counts = (task / "stat").read_text().rpartition(")")[2].split()
        used[task.name] = int(counts[11]) + int(counts[12]) - before.get(task.name, 0)
    return used


@pytest.mark.alone
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is never shared out")
def test_beside_busy_neighbours_the_real_worker_computes_with_one_thread(model_path: Path) -> None:
    """The other threads are there still, and do nothing."""
    governed = Governed(look_seconds=0.2)
    fd = os.open(model_path, os.O_RDONLY)
    supervisor = Supervisor(Load(context=1_024, decode_threads=2, prefill_threads=2), fd, governed)
    spinners: list[subprocess.Popen[bytes]] = []
    try:
        stream = supervisor.stream(ask(max_tokens=900, stop=()))
        next(stream)
        for _ in range(len(os.sched_getaffinity(0))):
            spinners.append(subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE))
            assert spinners[-1].stdout is not None
            spinners[-1].stdout.readline()
        until(stream, lambda: supervisor.threads == Threads(1, 1), 60.0)
        pid = supervisor.pid
        assert pid is not None
        for _ in range(3):  # what was under way with two threads
            next(stream)
        before = working(pid, {})
        for _ in range(15):
            next(stream)
        used = sorted(working(pid, before).values())
        assert used[-1] > 0
        assert sum(used[:-1]) <= 0.1 * used[-1]
        stream.close()
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.communicate()
        supervisor.close()
        os.close(fd)


def test_children_are_known_while_they_run(model_path: Path) -> None:
    before = set(child.running())
    supervisor = Supervisor(Load(script=Script((Say("78"),))))
    try:
        list(supervisor.stream(ask()))
        assert supervisor.pid in child.running()
    finally:
        supervisor.close()
    assert supervisor.pid is None
    assert set(child.running()) <= before
