"""A warden ends what has stopped, and nothing else. Real processes: a mock would not stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linnet.interfaces.scale.warden import keep

WATCHED = """
import time
from dataclasses import replace
from linnet.interfaces.scale import warden
warden.LIMITS = replace(warden.LIMITS, replica_stopped_seconds=3.0)
warden.beside(lambda: None)
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture(params=[os.devnull])
def watched(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """What it and its warden say goes to that file."""
    with (
        Path(request.param).open("wb") as said,
        subprocess.Popen([sys.executable, "-c", WATCHED], stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        yield process
        process.kill()


@pytest.mark.parametrize("watched", [os.devnull, "/dev/full"], indirect=True)
def test_what_stops_is_killed_and_what_runs_is_not(watched: subprocess.Popen[bytes]) -> None:
    """Wherever its last words go."""
    wait_for(lambda: wardens(watched.pid))
    time.sleep(4)  # more than ends what could have run, far from the 9 s that end what could not
    assert watched.poll() is None
    watched.send_signal(signal.SIGSTOP)
    assert watched.wait(60) == -signal.SIGKILL


def test_a_warden_that_is_lost_is_begun_again_and_ends_with_its_replica(watched: subprocess.Popen[bytes]) -> None:
    first = wait_for(lambda: wardens(watched.pid))
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: wardens(watched.pid) if wardens(watched.pid) != first else 0)
    assert watched.poll() is None
    watched.kill()
    watched.wait(60)
    wait_for(lambda: not running(second))


def test_a_process_that_is_not_the_parent_is_let_be() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        reading, writing = os.pipe()
        keep(stranger.pid, 0.1, reading)  # returns, with no beat at all
        assert stranger.poll() is None
        stranger.kill()
        os.close(reading)
        os.close(writing)


def wardens(pid: int) -> int:
    """The one child of that process, 0 while it has none that runs."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for one in children for child in one.read_text().split()]
    return next(filter(running, found), 0)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_for(what: Callable[[], int]) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")
