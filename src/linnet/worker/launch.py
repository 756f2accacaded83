"""The child that runs one program for a tool, `python -P -m linnet.worker.launch SOCKET_FD PARENT_PID`, and leaves.

Three processes: the launcher, which reads what is written and keeps the time; a keeper, the first process of its own
namespace where there is one, to which everything falls that loses its parent; and the program. Whatever ends the
launcher's work ends all that the program has started: in a namespace the kernel does it, else its process group is
killed, which nothing may leave, and then what is left below the launcher.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from linnet.channel import Channel
from linnet.errors import InputInvalid, LinnetError, WorkerCrashed
from linnet.limits import LIMITS
from linnet.program import Ending, Exited, Launch
from linnet.protocol import Failed
from linnet.worker import confine, errand, gate, kernel
from linnet.worker.confine import Apart

_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.1
"""Seconds between two looks at memory and processes."""
_SWEEP_SECONDS = 1.5
_KEEPER_HINT = "Something ended it from outside, perhaps the kernel for want of memory: try again."
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(job: Launch, channel: Channel) -> Exited:
    """Raises SandboxUnavailable before anything is run, and InputInvalid for what is no program."""
    apart = job.apart and confine.separate()
    confine.check(apart)
    kernel.libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watch = _Watch(job, channel)
    keeper = os.fork()
    if keeper == 0:
        channel.close()
        _keep(job, apart, watch)
    return watch.until_the_end(keeper)


# --- the launcher --------------------------------------------------------------------------------


class _Watch:
    """The pipes of one program, what came out of them, and the gate at which it waits to start processes."""

    def __init__(self, job: Launch, channel: Channel) -> None:
        self._job = job
        self._channel = channel
        self.pipes = {name: os.pipe() for name in ("output", "error", "said")}
        self.hand, self.taker = socket.socketpair()
        self._kept = {self.pipes[name][0]: bytearray() for name in self.pipes}
        self._written = dict.fromkeys(self._kept, 0)
        self._gate = -1
        self._tasks = 0
        self._unkept = False  # the keeper is gone, and its end of the pipe with it
        self._poll = select.poll()

    def until_the_end(self, keeper: int) -> Exited:
        started = time.monotonic()
        for _, end in self.pipes.values():
            os.close(end)
        self.hand.close()
        ended = self._follow(started + self._job.seconds)
        said = self._said()
        left = max(0, len(_below(os.getpid())) - 1) if "status" in said else 0
        _sweep(keeper, said.get("group"))
        self._drain()
        if "failed" in (said := self._said()):
            raise Failed(0, **said["failed"]).error()
        if not ended and "status" not in said:
            raise WorkerCrashed("the keeper of the program was ended, and the program with it", hint=_KEEPER_HINT)
        output, error = (self.pipes[name][0] for name in ("output", "error"))
        return Exited(
            status=None if ended else said.get("status"),
            ended=ended,
            output=(self._text(output), self._text(error)),
            written=(self._written[output], self._written[error]),
            left=left,
            seconds=time.monotonic() - started,
            enforced=tuple(said.get("enforced", ())),
        )

    def _follow(self, end: float) -> Ending:
        """Until the program has ended, or has to."""
        for descriptor in (*self._kept, self.taker.fileno(), self._channel.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        looked = 0.0
        while (now := time.monotonic()) < end:
            for descriptor, events in self._poll.poll(1_000 * max(0.0, min(_LOOK, end - now))):
                if why := self._attend(descriptor, events):
                    return why
            if self._unkept or self._said().keys() & {"status", "failed"}:
                return ""
            if now - looked >= _LOOK:
                looked = now
                if why := self._too_much():
                    return why
        return "deadline"

    def _attend(self, descriptor: int, events: int) -> Ending:
        if descriptor == self._channel.fileno():
            return "cancelled"
        if descriptor == self._gate and events & select.POLLIN:
            return self._admit()
        if descriptor == self.taker.fileno():
            self._gate = gate.received(self.taker)
            if self._gate >= 0:
                self._poll.register(self._gate, select.POLLIN)
        elif descriptor in self._kept and self._read(descriptor):
            return ""
        self._unkept = self._unkept or descriptor == self.pipes["said"][0]
        self._poll.unregister(descriptor)
        return ""

    def _admit(self) -> Ending:
        """One more task, if that is not too many."""
        if (who := gate.waiting(self._gate)) == 0:
            return ""
        if self._tasks >= LIMITS.program_tasks and (why := self._too_much()):
            return why
        self._tasks += 1
        gate.let_through(self._gate, who)
        return ""

    def _too_much(self) -> Ending:
        below = _below(os.getpid())
        self._tasks = sum(tasks for tasks, _ in below.values()) - 1  # the keeper
        if self._tasks >= LIMITS.program_tasks:
            return "tasks"
        resident = {pid: pages * _PAGE for pid, (_, pages) in below.items()}
        return "memory" if _over(resident, self._job.memory + _KEEPER_BYTES) else ""

    def _read(self, descriptor: int) -> bool:
        """Keep what fits and count the rest; whether there may be more."""
        data = os.read(descriptor, 1 << 16)
        kept = self._kept[descriptor]
        room = _SAID_BYTES if descriptor == self.pipes["said"][0] else self._job.output_bytes
        kept += data[: max(0, room - len(kept))]
        self._written[descriptor] += len(data)
        return bool(data)

    def _drain(self) -> None:
        for descriptor in self._kept:
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                while self._read(descriptor):
                    pass

    def _said(self) -> dict[str, Any]:
        """All that keeper and program have said of themselves."""
        lines = bytes(self._kept[self.pipes["said"][0]]).split(b"\n")[:-1]
        return {key: value for line in lines for key, value in json.loads(line).items()}

    def _text(self, descriptor: int) -> str:
        return base64.b64encode(self._kept[descriptor]).decode()


def _over(resident: dict[int, int], limit: int) -> bool:
    """Whether processes take more than so many bytes together, what they share counted once."""
    if sum(resident.values()) <= limit:
        return False
    return sum(_share(pid, size) for pid, size in resident.items()) > limit


def _share(pid: int, size: int) -> int:
    """The proportional set size of a process: it takes long to read, so it is asked for only where it matters."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
        return int(rollup.partition(b"\nPss:")[2].split()[0]) << 10
    except (OSError, IndexError):
        return size


_SAID_BYTES = 1 << 16
_KEEPER_BYTES = 64 << 20
"""What the keeper takes, most of it shared with the launcher."""


def _below(root: int) -> dict[int, tuple[int, int]]:
    """Tasks and pages of memory of all processes that descend from one, by process id."""
    parents: dict[int, int] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(entry.name)
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            if fields[0] not in b"ZX":
                parents[pid], sizes[pid] = int(fields[1]), (int(fields[17]), int(fields[21]))
    found: dict[int, tuple[int, int]] = {}
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
        found |= {pid: sizes[pid] for pid in fresh}
    return found


def _sweep(keeper: int, group: int | None) -> None:
    """End everything that was started, and wait for it."""
    if group is not None:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(keeper, signal.SIGKILL)
    end = time.monotonic() + _SWEEP_SECONDS
    while time.monotonic() < end:
        for pid in _below(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


# --- the keeper and the program ------------------------------------------------------------------


def _keep(job: Launch, apart: bool, watch: _Watch) -> NoReturn:
    """Starts the program, reaps whatever falls to it, and stays until it is killed."""
    said = watch.pipes["said"][1]
    try:
        kernel.libc().prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        kernel.libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for reading, _ in watch.pipes.values():
            os.close(reading)
        watch.taker.close()
        program = os.fork() if not _hung_up(said) else os._exit(1)
        if program == 0:
            _become(job, apart, watch)
        for end in _ends(watch):
            os.close(end)
        watch.hand.close()
        while True:
            pid, status = os.wait()
            if pid == program:
                _say(said, status=os.waitstatus_to_exitcode(status))
                signal.pause()
    finally:
        os._exit(1)


def _hung_up(end: int) -> bool:
    """Whether nobody reads from a pipe any more: the launcher died before this process asked to die with it."""
    poll = select.poll()
    poll.register(end, select.POLLERR)
    return bool(poll.poll(0))


def _become(job: Launch, apart: bool, watch: _Watch) -> NoReturn:
    """Locks this process and turns it into the program."""
    said = watch.pipes["said"][1]
    try:
        kernel.libc().prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        if not apart:
            _say(said, group=os.getpid())
        spaces = confine.view(job.writable) if apart else Apart()
        for target, source in enumerate((os.open("/dev/null", os.O_RDONLY), *_ends(watch))):
            os.dup2(source, target)
        os.chdir(confine.place_of(job.cwd))
        _say(said, enforced=confine.lock(job, spaces, watch.hand))
        said = os.dup2(said, 3, inheritable=False)
        os.closerange(4, 1 << 30)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by what is run from it
            signal.signal(ignored, signal.SIG_DFL)
        os.execvpe(job.argv[0], list(job.argv), job.environment)
    except LinnetError as error:
        _say(said, failed=_described(error))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        _say(said, failed=_described(InputInvalid(f"{job.argv[0]} cannot be run: {reason}")))
    except Exception as error:  # as MemoryError, under a limit too small for this process to become another one
        _say(said, failed=_described(InputInvalid(f"{job.argv[0]} could not be started: {error!r}")))
    finally:
        os._exit(127)


def _ends(watch: _Watch) -> tuple[int, int]:
    return watch.pipes["output"][1], watch.pipes["error"][1]


def _described(error: LinnetError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": error.details}


def _say(end: int, **what: Any) -> None:
    os.write(end, json.dumps(what).encode() + b"\n")


# --- the child -----------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    return errand.run(arguments, Launch, run, _outlive)


def _outlive(parent: int) -> None:
    """Killed with its parent it could not end what it has started: here the end of the pipe tells."""
    kernel.libc().prctl(kernel.PR_SET_PDEATHSIG, 0, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
