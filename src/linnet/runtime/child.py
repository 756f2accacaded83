"""Starting a child process: its own session, an empty environment, given descriptors and nothing else.

The kernel ties a parent-death signal to the *thread* that started the child, so one thread that lives as
long as the program starts them all.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from linnet import log
from linnet.channel import Channel
from linnet.hardware import reading
from linnet.limits import LIMITS
from linnet.protocol import Record
from linnet.runtime.postmortem import KILLED_FOR_MEMORY, LINGERED
from linnet.runtime.silence import LOOK_SECONDS, Silence

_ENVIRONMENT = {
    # A thread that sleeps at every wait decodes at a third of the speed on a quiet machine; one that spins for long
    # stalls the others as soon as somebody else wants a core (docs/decisions/0005). So: spin shortly, then sleep.
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "1000",
    "OPENBLAS_NUM_THREADS": "1",  # no thread may exist before the lock-down
    "GGML_NO_BACKTRACE": "1",  # an abort must not try to run a debugger
    "LC_ALL": "C.UTF-8",
}
_LAST_WORDS = 4_096

_BEGIN = "linnet.worker.begin"
"""The module that every child begins with, and that runs the one that is wanted."""

_jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
_nursery: threading.Thread | None = None
_nursery_lock = threading.Lock()
_running: set[int] = set()


def running() -> tuple[int, ...]:
    """Process ids of the children that were started and not closed since."""
    return tuple(_running.copy())


class Child:
    """A running child and our end of its pipe.

    `post` writes from a thread of its own: a writer that waited for a full pipe while the child waits for
    its answers to be read would block both for ever.
    """

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel, stderr: int) -> None:
        self.process = process
        self.channel = channel
        self._stderr = stderr
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._postman: threading.Thread | None = None
        self._killed = False  # by us
        self._memory_kills = _memory_kills()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def hands(self) -> tuple[int, ...] | None:
        """Native ids of the threads here that it may wait for, beside the one that reads from it. None for all: while
        something is to be sent, the postman may wait for whichever of them holds the interpreter."""
        if not self._outbox.empty():
            return None
        postman = self._postman.native_id if self._postman is not None else None
        return () if postman is None else (postman,)

    def post(self, record: Record) -> None:
        """Send a record, in order, without waiting. Not to be mixed with `channel.send`.

        Raises ProtocolBroken for one that is too large, and nothing when the child is gone.
        """
        frame = self.channel.frame(record)
        if self._postman is None:
            self._postman = threading.Thread(target=self._deliver, name="linnet-postman", daemon=True)
            self._postman.start()
        self._outbox.put(frame)

    def _deliver(self) -> None:
        with contextlib.suppress(OSError):
            while (frame := self._outbox.get()) is not None:
                self.channel.socket.sendall(frame)

    def kill(self) -> None:
        """End it at once. Safe to call again, and after its end."""
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def reap(self) -> tuple[int, str]:
        """Wait for the end that has begun: `(return code, last words)`; a negative code is a signal."""
        code = self._left()
        lingers = code is None and not self._killed
        if code is None:  # it is of no use any more
            self.kill()
            code = self.process.wait()
        words = b""
        with contextlib.suppress(OSError):
            words = os.read(self._stderr, 1 << 16)
        self.close()
        told = words.decode(errors="replace")[-_LAST_WORDS:].strip()
        if code == -signal.SIGKILL:
            told = f"{told}\n{self._killer(lingers)}".strip()
        log.note("child_ended", child=self.pid, status=code, stopped=self._killed, last_words=told[-200:])
        return code, told

    def _left(self) -> int | None:
        """Its return code, or None if it does not end in time that it could have used."""
        silence = Silence()
        while not silence.verdict(LIMITS.leaving_seconds, 10 * LIMITS.leaving_seconds):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(timeout=LOOK_SECONDS)
            silence.look(self.pid, self.hands)
        return None

    def _killer(self, lingered: bool) -> str:
        """Who has killed it, where that can be told and is not known already."""
        if lingered:
            return LINGERED
        return KILLED_FOR_MEMORY if not self._killed and _memory_kills() > self._memory_kills else ""

    def close(self) -> None:
        """Let go of the pipe of a child that has ended."""
        _running.discard(self.pid)
        self._outbox.put(None)
        if self._postman is not None:
            self._postman.join()
        self.channel.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1


def start(module: str, descriptors: Sequence[int] = ()) -> Child:
    """Run `python -P -m MODULE SOCKET_FD PARENT_PID`; `descriptors` are inherited under their numbers."""
    job: Future[Child] = Future()
    _ensure_nursery()
    _jobs.put((lambda: _start(module, descriptors), job))
    return job.result()


def _start(module: str, descriptors: Sequence[int]) -> Child:
    ours, theirs = socket.socketpair()
    try:
        words, stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        ours.close()
        theirs.close()
        raise
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _BEGIN, module, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[theirs.fileno(), *descriptors],
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        os.close(words)
        raise
    finally:
        theirs.close()
        os.close(stderr)
    _running.add(process.pid)
    log.note("child_started", child=process.pid, module=module)
    return Child(process, Channel(ours, child=False), words)


def _memory_kills() -> int:
    """How many processes the kernel has ended for want of memory, in whatever group; 0 if it does not say."""
    found = re.search(r"^oom_kill (\d+)$", reading.text(Path("/proc/vmstat")) or "", re.MULTILINE)
    return int(found[1]) if found else 0


def _ensure_nursery() -> None:
    global _nursery
    with _nursery_lock:
        if _nursery is None or not _nursery.is_alive():
            _nursery = threading.Thread(target=_nurse, name="linnet-nursery", daemon=True)
            _nursery.start()


def _nurse() -> None:
    while True:
        work, future = _jobs.get()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
