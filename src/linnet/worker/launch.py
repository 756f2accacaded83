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
from linnet.errors import InputInvalid, LinnetError
from linnet.limits import LIMITS
from linnet.program import Ending, Exited, Launch
from linnet.protocol import Failed, failed
from linnet.worker import confine, kernel
from linnet.worker.confine import Apart

_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.1
"""Seconds between two looks at memory and processes."""
_SWEEP_SECONDS = 1.5
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(job: Launch, channel: Channel) -> Exited:
    """Raises SandboxUnavailable before anything is run, and InputInvalid for what is no program."""
    apart = confine.separate() if job.apart else Apart()
    confine.check(apart)
    kernel.libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watch = _Watch(job, channel)
    keeper = os.fork()
    if keeper == 0:
        _keep(job, apart, watch)
    return watch.until_the_end(keeper)


# --- the launcher --------------------------------------------------------------------------------


class _Watch:
    """The pipes of one program and what came out of them."""

    def __init__(self, job: Launch, channel: Channel) -> None:
        self._job = job
        self._channel = channel
        self.pipes = {name: os.pipe() for name in ("output", "error", "said")}
        self._kept = {self.pipes[name][0]: bytearray() for name in self.pipes}
        self._written = dict.fromkeys(self._kept, 0)

    def until_the_end(self, keeper: int) -> Exited:
        started = time.monotonic()
        for _, end in self.pipes.values():
            os.close(end)
        ended = self._follow(started + self._job.seconds)
        said = self._said()
        left = max(0, len(_below(os.getpid())) - 1) if not ended and "status" in said else 0
        _sweep(keeper, said.get("group"))
        self._drain()
        said = self._said()
        if "failed" in said:
            raise Failed(0, **said["failed"]).error()
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
        poll = select.poll()
        for descriptor in (*self._kept, self._channel.fileno()):
            poll.register(descriptor, select.POLLIN)
        looked = 0.0
        while (now := time.monotonic()) < end:
            for descriptor, _ in poll.poll(1_000 * max(0.0, min(_LOOK, end - now))):
                if descriptor == self._channel.fileno():
                    return "cancelled"
                if not self._read(descriptor):
                    poll.unregister(descriptor)
            if self._over():
                return ""
            if now - looked >= _LOOK:
                looked = now
                if why := self._too_much():
                    return why
        return "deadline"

    def _over(self) -> bool:
        said = self._said()
        return "status" in said or "failed" in said

    def _too_much(self) -> Ending:
        sizes = _below(os.getpid())
        if len(sizes) - 1 > LIMITS.program_processes:
            return "processes"
        return "memory" if sum(sizes.values()) * _PAGE > self._job.memory + _KEEPER_BYTES else ""

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


_SAID_BYTES = 1 << 16
_KEEPER_BYTES = 64 << 20
"""What the keeper takes, most of it shared with the launcher."""


def _below(root: int) -> dict[int, int]:
    """Pages of memory of all processes that descend from one, by process id."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(entry.name)
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            if fields[0] not in b"ZX":
                parents[pid], pages[pid] = int(fields[1]), int(fields[21])
    found: dict[int, int] = {}
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
        found |= {pid: pages[pid] for pid in fresh}
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


def _keep(job: Launch, apart: Apart, watch: _Watch) -> NoReturn:
    """Starts the program, reaps whatever falls to it, and stays until it is killed."""
    said = watch.pipes["said"][1]
    try:
        kernel.libc().prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        kernel.libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if apart.mounts:
            apart = apart._replace(mounts=confine.view(job.writable))
        program = os.fork()
        if program == 0:
            _become(job, apart, watch)
        for name in ("output", "error"):
            os.close(watch.pipes[name][1])
        while True:
            pid, status = os.wait()
            if pid == program:
                _say(said, status=os.waitstatus_to_exitcode(status))
                os.close(said)
                signal.pause()
    finally:
        os._exit(1)


def _become(job: Launch, apart: Apart, watch: _Watch) -> NoReturn:
    said = watch.pipes["said"][1]
    try:
        os.setsid()
        if not apart.processes:
            _say(said, group=os.getpid())
        for target, source in enumerate((os.open("/dev/null", os.O_RDONLY), *_ends(watch))):
            os.dup2(source, target)
        confine.enter(job.cwd)
        enforced = confine.lock(job, apart)
        _say(said, enforced=enforced)
        os.dup2(said, 3, inheritable=False)
        os.closerange(4, 1 << 16)
        said = 3
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(job.argv[0], list(job.argv), job.environment)
    except LinnetError as error:
        _say(said, failed=_described(error))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        _say(said, failed=_described(InputInvalid(f"{job.argv[0]} cannot be run: {reason}")))
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
    channel = Channel(socket.socket(fileno=int(arguments[1])), child=True)
    job = channel.receive()
    if not isinstance(job, Launch):
        return 0 if job is None else 2
    try:
        channel.send(run(job, channel))
    except (BrokenPipeError, ConnectionResetError):
        return 0
    except LinnetError as error:
        channel.send(failed(0, error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
