"""Children: started apart from us, given nothing but what they are meant to have, and gone when we are done."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.limits import LIMITS
from linnet.protocol import Load, Ready, Stop
from linnet.runtime import child, silence
from linnet.runtime.postmortem import LINGERED
from linnet.script import Script

WORKER = "linnet.worker.main"


@pytest.fixture
def started() -> Iterator[Any]:
    """`started(*descriptors)`: a worker that has got its Load and said Ready."""
    made = []

    def start(*descriptors: int, script: Script | None = None) -> child.Child:
        one = child.start(WORKER, descriptors)
        made.append(one)
        one.channel.send(Load(script=script or Script()))
        assert isinstance(one.channel.receive(), Ready)
        return one

    yield start
    for one in made:
        one.kill()
        one.reap()


def proc(one: child.Child, name: str) -> str:
    return (Path("/proc") / str(one.pid) / name).read_text()


def test_it_leaves_when_told_to(started: Any) -> None:
    one = started()
    one.channel.send(Stop())
    one.process.wait(60)
    assert one.reap() == (0, "")


def test_it_leaves_when_the_pipe_ends(started: Any) -> None:
    one = started()
    one.channel.socket.shutdown(socket.SHUT_RDWR)
    assert one.process.wait(timeout=60) == 0


def test_a_script_needs_neither_numpy_nor_the_engine(started: Any) -> None:
    maps = proc(started(), "maps")
    assert "python" in maps
    assert "numpy" not in maps and "llama" not in maps and "llguidance" not in maps


def test_its_environment_holds_nothing_of_ours(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    environment = proc(started(), "environ")
    assert "hunter2" not in environment and "PYTHONPATH" not in environment and "HOME" not in environment
    assert set(entry.partition("=")[0] for entry in environment.split("\0") if entry) == set(child._ENVIRONMENT)


def test_it_inherits_the_given_descriptors_and_no_other(started: Any, tmp_path: Path) -> None:
    given = os.open(tmp_path, os.O_RDONLY)
    other = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(other, True)
    try:
        one = started(given)
        held = sorted(int(path.name) for path in Path(f"/proc/{one.pid}/fd").iterdir())
        assert given in held and other not in held
        assert len([fd for fd in held if fd > 2]) == 2, "the pipe and what was given"
        assert [str(Path(f"/proc/{one.pid}/fd/{fd}").readlink()) for fd in (0, 1)] == ["/dev/null"] * 2
    finally:
        os.close(given)
        os.close(other)


def test_it_runs_in_a_session_of_its_own(started: Any) -> None:
    one = started()
    assert os.getsid(one.pid) == one.pid != os.getsid(0)
    assert str(Path(f"/proc/{one.pid}/cwd").readlink()) == "/"


def test_a_module_in_the_current_folder_is_not_imported(
    started: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pydantic.py").write_text("raise SystemExit(66)")
    (tmp_path / "json.py").write_text("raise SystemExit(66)")
    monkeypatch.chdir(tmp_path)
    assert started().process.poll() is None


def test_a_signal_is_reported_as_a_negative_code(started: Any) -> None:
    one = started()
    os.kill(one.pid, signal.SIGSEGV)
    assert one.reap()[0] == -signal.SIGSEGV


def test_killing_twice_and_after_the_end_is_harmless(started: Any) -> None:
    one = started()
    one.kill()
    one.kill()
    assert one.reap()[0] == -signal.SIGKILL
    one.kill()
    one.close()


def test_the_last_words_are_kept() -> None:
    one = child.start("linnet.no_such_module")
    code, words = one.reap()
    assert code == 1 and "no_such_module" in words


def test_what_does_not_leave_is_killed() -> None:
    """`timeit` runs for a while, and a stopped process for ever."""
    one = child.start("timeit")
    started = time.monotonic()
    one.process.send_signal(signal.SIGSTOP)
    code, words = one.reap()
    assert code == -signal.SIGKILL and 0.9 * LIMITS.leaving_seconds < time.monotonic() - started < 60
    assert words.endswith(LINGERED), "and nobody else is suspected"


def test_what_leaves_without_a_processor_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "threads", lambda pid, **_: {pid: silence.Strand(1.0, 0.0, runnable=True)})
    one = child.start("timeit")
    one.process.send_signal(signal.SIGSTOP)
    threading.Timer(2.5, one.process.kill).start()
    assert one.reap() == (-signal.SIGKILL, ""), "it was not we who ended it"


def test_posting_never_waits_and_keeps_the_order(started: Any) -> None:
    """A stopped child reads nothing; its pipe holds far less than this."""
    one = started()
    os.kill(one.pid, signal.SIGSTOP)
    text = "x" * 100_000
    posted = threading.Event()

    def post() -> None:
        for _ in range(40):
            one.post(Load(script=Script(poison=text)))
        posted.set()

    threading.Thread(target=post, daemon=True).start()
    assert posted.wait(60)
    one.kill()
    assert one.reap()[0] == -signal.SIGKILL
    one.post(Stop())  # to nobody, and no harm


def test_it_may_wait_for_its_postman_or_for_all_of_us_while_something_is_to_be_sent(started: Any) -> None:
    one = started()
    assert one.hands == (), "nothing was posted yet"
    one.post(Stop())
    until = time.monotonic() + 60
    while one.hands is None:
        assert time.monotonic() < until
    assert one.hands == (one._postman.native_id,)
    stopped = started()
    os.kill(stopped.pid, signal.SIGSTOP)
    for _ in range(40):
        stopped.post(Load(script=Script(poison="x" * 100_000)))
    assert stopped.hands is None


def test_starting_from_a_thread_that_ends_does_not_end_the_child() -> None:
    """The parent-death signal is tied to the thread that started it."""
    made: list[child.Child] = []
    thread = threading.Thread(target=lambda: made.append(child.start(WORKER)))
    thread.start()
    thread.join()
    (one,) = made
    one.channel.send(Load(script=Script()))
    assert isinstance(one.channel.receive(), Ready)
    time.sleep(0.2)
    assert one.process.poll() is None
    one.kill()
    one.reap()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_failing_start_leaves_nothing_and_does_not_end_the_nursery(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_descriptors()
    monkeypatch.setattr(child.sys, "executable", "/no/such/python")
    with pytest.raises(FileNotFoundError):
        child.start(WORKER)
    monkeypatch.undo()
    assert open_descriptors() == before
    one = child.start(WORKER)
    one.kill()
    assert one.reap()[0] == -signal.SIGKILL


def test_no_descriptor_is_left(started: Any) -> None:
    started().kill()
    before = open_descriptors()
    for _ in range(3):
        one = child.start(WORKER)
        one.kill()
        one.reap()
    assert open_descriptors() == before


# --- orphans -------------------------------------------------------------------------------------


def dead(pid: int) -> bool:
    """Ended, whether or not anybody has taken notice of it."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not dead(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.02)
    return True


PARENT = """
import sys, time
from linnet.protocol import Load
from linnet.script import *
from linnet.requests import *
from linnet.runtime.supervisor import Supervisor
then = {"idle": (), "hung": (Hang(60),), "stopped": (Die(19),), "busy": (Say("61" * 60_000),)}[sys.argv[1]]
s = Supervisor(Load(script=Script((Say("61"), *then), seconds_per_token=0.001)))
stream = s.stream(Generate((Segment("x", True),), max_tokens=100_000))
next(stream)
time.sleep(0.3)
print(s.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy", "hung", "stopped"])
def test_a_worker_ends_with_its_parent(state: str) -> None:
    """Also when it hangs and could not look at its pipe."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not dead(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends_within(pid, 2.0), "an orphan"


def test_a_worker_ends_with_a_parent_that_dies_while_it_starts() -> None:
    program = f"""
import os
from linnet.runtime import child
one = child.start({WORKER!r})
print(one.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL
    assert ends_within(int(ran.stdout), 2.0)


def test_a_program_that_just_ends_leaves_nothing() -> None:
    program = PARENT.replace("time.sleep(60)", "")
    ran = subprocess.run([sys.executable, "-c", program, "idle"], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert ends_within(int(ran.stdout), 2.0)
