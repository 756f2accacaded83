"""`linnet models pull` as a process of its own that is killed, at the bytes and at the files; and two at once.

After every kill: no file is visible that is not whole, and the same command then completes.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.models.shelf import Shelf

REFERENCE = "hf:o/r:M-Q8_0.gguf"

PUBLISHING = 12
"""The last touches, each of which is tried: the file gets its name, the record is written, the rest is removed."""

PULL = """
import os, signal, sys
fatal, root, seen = int(sys.argv[1]), sys.argv[2], 0

def watch(event, arguments):
    \"\"\"Counts what is done to files of the store, and ends this process for good before the fatal one.\"\"\"
    global seen
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod"):
        if any(isinstance(one, (str, os.PathLike)) and str(one).startswith(root) for one in arguments):
            seen += 1
            if seen == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
from linnet.interfaces.cli.main import main
sys.argv = ["linnet", *sys.argv[3:]]
try:
    main()
finally:
    print("touched", seen, file=sys.stderr)
"""


@pytest.fixture
def body(gguf_bytes: Callable[..., bytes]) -> bytes:
    return gguf_bytes()


@pytest.fixture
def repo(hub: Any, body: bytes) -> Any:
    hub.add("o/r", "M-Q8_0.gguf", body)
    return hub


@pytest.fixture
def start(repo: Any, home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start(fatal)`: a pull that dies before it touches files of the store for that time; 0 is never."""
    started = []

    def start(fatal: int = 0) -> subprocess.Popen[str]:
        run = [sys.executable, "-P", "-c", PULL, str(fatal), str(home)]
        run += ["models", "pull", REFERENCE, "--endpoint", repo.url, "--json"]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def check_visible(home: Path) -> None:
    """Whatever can be seen is whole."""
    for blob in (home / "blobs").glob("*"):
        assert blob.stem == hashlib.sha256(blob.read_bytes()).hexdigest()
    for record in Shelf().records():
        assert Shelf().blob(record.sha256).stat().st_size == record.size


def complete(repo: Any, home: Path, body: bytes) -> Any:
    """The same pull again, with the same code, in this process."""
    from linnet.models.pull import pull

    repo.release.set()
    done = pull(REFERENCE, endpoint=repo.url)
    assert done.path.read_bytes() == body and Shelf().records() == [done.record]
    assert Shelf().incomplete() == []
    assert [path.name for path in (home / "partial").iterdir()] == []
    return done


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.99, 0.99999])
def test_killed_at_a_byte(start, repo: Any, home: Path, body: bytes, fault: Any, share: float) -> None:
    place = int(share * len(body))
    repo.faults.append(fault(stall=place) if place else fault(status=503, headers={"Retry-After": "30"}))
    process = start()
    if place:
        assert repo.stalled.wait(30)
        wait_for(lambda: bool(Shelf().incomplete()) and Shelf().incomplete()[0].have == place)
        assert Shelf().incomplete()[0].owner == process.pid
    else:
        wait_for(lambda: len(repo.gets()) == 1)
    check_visible(home)
    assert Shelf().records() == []
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert Shelf().records() == []
    done = complete(repo, home, body)
    assert (done.kept, done.fetched) == (place, len(body) - place), "what had come was not fetched again"


def test_killed_before_a_touch_of_a_file(start, repo: Any, home: Path, body: bytes) -> None:
    whole = start()
    told = whole.communicate()[1]
    touches = int(told.rpartition("touched ")[2])
    assert whole.returncode == 0 and touches >= 12, told
    shelf, visible = Shelf(), []
    early = range(1, touches - PUBLISHING, 4)
    for fatal in (*early, *range(touches - PUBLISHING, touches + 1)):
        for record in shelf.records():
            shelf.remove(record.name)
        process = start(fatal)
        process.communicate()
        if process.returncode == 0:  # with the folders made already there is a little less to touch
            continue
        assert process.returncode == -signal.SIGKILL
        check_visible(home)
        visible.append(len(shelf.records()))
        complete(repo, home, body)
    assert visible == sorted(visible) and set(visible) == {0, 1}, "not there, and from one touch on there"
    assert len(visible) >= 12, "with the bytes above, more than 20 kills"


def test_two_processes_make_one_download(start, repo: Any, body: bytes, fault: Any) -> None:
    repo.faults.append(fault(stall=100_000))
    first = start()
    assert repo.stalled.wait(30)
    second = start()
    assert second.stderr and f"waiting for process {first.pid}" in second.stderr.readline()
    repo.release.set()
    one, other = (json.loads(process.communicate()[0]) for process in (first, second))
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(repo.gets()) == 1 and repo.served == len(body)
    assert (one["already"], other["already"]) == (False, True) and one["path"] == other["path"]
    assert "another process fetched it meanwhile" in other["notes"]


def test_who_waits_goes_on_when_the_other_is_killed(start, repo: Any, body: bytes, fault: Any) -> None:
    repo.faults.append(fault(stall=100_000))
    first = start()
    assert repo.stalled.wait(30)
    second = start()
    assert second.stderr and second.stderr.readline()
    wait_for(lambda: Shelf().incomplete()[0].have == 100_000)
    first.kill()
    told = json.loads(second.communicate()[0])
    assert second.returncode == 0
    assert (told["kept_bytes"], told["fetched_bytes"]) == (100_000, len(body) - 100_000)
    assert repo.gets()[-1].headers["Range"] == "bytes=100000-"


def test_interrupted(start, repo: Any, home: Path, body: bytes, fault: Any) -> None:
    repo.faults.append(fault(stall=50_000))
    process = start()
    assert repo.stalled.wait(30)
    wait_for(lambda: Shelf().incomplete()[0].have == 50_000)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130 and "goes on with it" in told
    assert complete(repo, home, body).kept == 50_000


def wait_for(seen: Callable[[], bool]) -> None:
    import time

    for _ in range(3_000):
        if seen():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")
