"""Running a program for a tool: in its own roots, without network, within its time, and nothing of it survives.

    run_program(["grep", "-rn", "pigeon", "."], readable=["notes"], seconds=5.0) -> Outcome(status=0, stdout=b"...")

Hides a launcher child (`linnet.worker.launch`), descriptors of the roots, and how a program is kept in
(`linnet.worker.confine` says what is covered and what is not). There is no shell: `argv` is a vector, and its first
word is looked for in the `PATH` of the environment given, else of `ENVIRONMENT`.

A program sees the system's own programs and libraries (`/usr`, `/bin`, `/lib`, ...), a few devices, the readable and
the writable roots with all that is below them, and no other file: nothing of the home folder, of `/etc` or of `/tmp`.
What it may read it may also run. It has no terminal, its standard input is empty, and its environment has what is
given and nothing of ours. When it ends, or is ended, so does everything that it has started, daemons included.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linnet.errors import InputInvalid, ProtocolBroken, RequestTooLarge, SandboxUnavailable
from linnet.limits import LIMITS
from linnet.program import Exited, Launch
from linnet.protocol import Failed, Record
from linnet.runtime import child, postmortem

ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}
"""What a program finds in its environment unless its caller says otherwise."""

_LONGEST = 86_400.0
_GRACE = 5.0
"""Seconds beyond the deadline for the launcher to start, to end what it started, and to report."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended. `status` is its exit status, `-N` if signal N ended it; None if we did, and then `ended`
    says why: "deadline", "memory", "tasks" (too many processes and threads at a time) or "cancelled".

    `stdout` and `stderr` are the first bytes of each, as they came; `stdout_cut` and `stderr_cut` say whether there
    was more, `written` how many bytes there were of each. `left` counts processes that the program had left running
    when it ended, which were ended then. `enforced` lists the parts of the sandbox that held: all that are promised,
    or the program is not run; "namespaces" and "read-only view" only where the kernel grants them.
    """

    status: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_cut: bool = False
    stderr_cut: bool = False
    ended: str = ""
    left: int = 0
    seconds: float = 0.0
    written: tuple[int, int] = (0, 0)
    enforced: tuple[str, ...] = field(default=())


def run_program(
    argv: Sequence[str],
    *,
    readable: Sequence[str | Path] = (),
    writable: Sequence[str | Path] = (),
    cwd: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = LIMITS.tool_seconds,
    output_bytes: int = LIMITS.program_output_bytes,
    memory: int = LIMITS.program_memory,
    network: bool = False,
) -> Outcome:
    """Run it to its end, or to its deadline, or to the end of its memory or tasks; blocks; safe from any thread.

    `readable` and `writable` are folders or files that exist; `cwd` is the first of them that is a folder (writable
    ones first) or `/`, unless given. `environment` is all that the program finds in its own. `seconds` count from
    its start, a day at most; what it prints beyond `output_bytes` is read and dropped. `memory` is in bytes: of
    private data for each process, and resident for all together.

    An exit status other than 0 is an outcome, not an error. Raises SandboxUnavailable, before anything is run, where
    this system cannot keep a program in; InputInvalid for a root or a program that is not there; RequestTooLarge for
    words or roots over a limit; and an EngineError if the launcher itself dies.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable("programs are not run: only Linux keeps them in", missing=["files", "processes"])
    words = ENVIRONMENT if environment is None else environment
    _check(argv, words, (readable, writable))
    with contextlib.ExitStack() as stack:
        roots = [[_opened(place, stack) for place in some] for some in (readable, writable)]
        place = _place(cwd, (*writable, *readable))
        job = Launch(
            argv=tuple(argv),
            environment=dict(words),
            cwd=_opened(place, stack, os.O_DIRECTORY),
            seconds=min(max(0.0, seconds), _LONGEST),
            readable=tuple(roots[0]),
            writable=tuple(roots[1]),
            output_bytes=max(0, min(output_bytes, LIMITS.program_output_bytes)),
            memory=max(0, min(memory, 1 << 62)),
            network=network,
        )
        return _outcome(_launch(job))


# --- before --------------------------------------------------------------------------------------


def _check(argv: Sequence[str], environment: Mapping[str, str], roots: Sequence[Sequence[str | Path]]) -> None:
    if isinstance(argv, str) or not argv or not argv[0]:
        raise InputInvalid("a program is a list of words, the first of them its name")
    words = [*argv, *(f"{name}={value}" for name, value in environment.items())]
    try:
        size = sum(len(word.encode()) + 1 for word in words)
    except UnicodeEncodeError as error:
        raise InputInvalid(f"a word of the program is not text: {error.reason}") from error
    if any("\0" in word for word in words):
        raise InputInvalid("a word of the program has a zero byte in it")
    most, limit = max(len(argv), len(environment)), LIMITS.program_words
    if most > limit:
        raise RequestTooLarge(f"{most} words are over the limit of {limit}", limit=limit)
    if size > (limit := LIMITS.program_words_bytes):
        raise RequestTooLarge(f"{size} bytes of words are over the limit of {limit}", limit=limit)
    if max(map(len, roots)) > (limit := LIMITS.program_roots):
        raise RequestTooLarge(f"more than {limit} places to read or to write", limit=limit)


def _place(cwd: str | Path | None, roots: Sequence[str | Path]) -> str | Path:
    return cwd if cwd is not None else next((root for root in roots if Path(root).is_dir()), "/")


def _opened(place: str | Path, stack: contextlib.ExitStack, flags: int = 0) -> int:
    """A descriptor of the place as it is now: what is put in its place later is not meant."""
    try:
        descriptor = os.open(place, getattr(os, "O_PATH", 0) | os.O_CLOEXEC | flags)
    except (OSError, ValueError) as error:
        raise InputInvalid(f"{place} cannot be opened for a program: {error}") from error
    stack.callback(os.close, descriptor)
    return descriptor


# --- the launcher --------------------------------------------------------------------------------


def _launch(job: Launch) -> Exited:
    running = child.start("linnet.worker.launch", (job.cwd, *job.readable, *job.writable))
    try:
        running.post(job)
        record = _await(running, LIMITS.start_seconds + job.seconds + _GRACE)
    finally:
        # Not a signal: the launcher ends what it has started when the pipe ends, and then itself.
        with contextlib.suppress(OSError):
            running.channel.socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(_GRACE)
        running.reap()
    if isinstance(record, Failed):
        raise record.error()
    if not isinstance(record, Exited):
        raise ProtocolBroken("the launcher answered what was not asked")
    return record


def _await(running: child.Child, seconds: float) -> Record:
    """What the launcher reports. Raises the error for the way it died."""
    broken = None
    try:
        while running.channel.wait(seconds):
            if (record := running.channel.pending()) is not None:
                return record
        broken = ProtocolBroken(f"the launcher said nothing for {seconds:g} s")
    except ProtocolBroken as error:
        broken = error
    except (EOFError, OSError):
        pass
    if broken is not None:
        running.kill()
    code, words = running.reap()
    died = postmortem.explain(code, "launch", words, broken=broken)
    died.message = died.message.replace("the engine", "the launcher")
    raise died


def _outcome(record: Exited) -> Outcome:
    stdout, stderr = (base64.b64decode(text) for text in record.output)
    return Outcome(
        status=record.status,
        stdout=stdout,
        stderr=stderr,
        stdout_cut=record.written[0] > len(stdout),
        stderr_cut=record.written[1] > len(stderr),
        ended=record.ended,
        left=record.left,
        seconds=record.seconds,
        written=record.written,
        enforced=record.enforced,
    )
