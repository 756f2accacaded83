"""Why a child ended, from its exit status and last words: one typed error with advice per way to die.

Hides the one table of these ways. Nothing that a process can do is missing from it: what has no row of its own is
`signal` or `status`, and tests go through all of them.
"""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass
from typing import Any, Literal

from linnet.errors import (
    EngineError,
    LinnetError,
    OutOfMemory,
    ProtocolBroken,
    WorkerCrashed,
    WorkerHung,
    WorkerStartFailed,
)


@dataclass(frozen=True)
class Way:
    """A way to die: what is told of it (`{what}` is the signal or status), what to do, which error it is.

    `outside` ways are ordered by somebody else: no request is to blame.
    """

    told: str
    advice: str | None = None
    kind: type[EngineError] = WorkerCrashed
    outside: bool = False


_ENDED = "the engine was ended by {what}"
_MEMORY = "Use a smaller model or context; `linnet doctor` shows what fits."

WAYS: dict[str, Way] = {
    "SIGSEGV": Way(
        _ENDED, "The native code read memory that is not its own: suspect the model file or a bug in llama.cpp."
    ),
    "SIGBUS": Way(
        _ENDED, "A mapped file shrank or its disk failed: check the model file, and that nothing rewrites it."
    ),
    "SIGABRT": Way(_ENDED, "The native code gave up on an assertion: its last words say which."),
    "SIGILL": Way(_ENDED, "The engine was built for another processor: reinstall llama-cpp-python on this machine."),
    "SIGFPE": Way(_ENDED, "The native code divided by zero: suspect the model file."),
    "SIGTRAP": Way(_ENDED, "The native code ran into a trap of its own: suspect the model file."),
    "SIGSYS": Way(_ENDED, "It made a system call that the sandbox forbids: suspect the model file."),
    "SIGXCPU": Way(_ENDED, "It ran over its limit of processor time."),
    "SIGXFSZ": Way(_ENDED, "It wrote more than the file that it was given may hold."),
    "SIGKILL": Way(
        _ENDED,
        "Something ended it from outside; if the kernel did for want of memory, use a smaller model.",
        outside=True,
    ),
    "SIGTERM": Way(_ENDED, "Something asked it to end from outside.", outside=True),
    "SIGINT": Way(_ENDED, "Somebody interrupted it from outside.", outside=True),
    "SIGHUP": Way(_ENDED, "Something hung up on it from outside.", outside=True),
    "SIGQUIT": Way(_ENDED, "Somebody told it to quit from outside.", outside=True),
    "signal": Way(_ENDED, "This signal ends no worker by itself: look for who sends it."),
    "status": Way("the engine left with status {what}"),
    "memory": Way("the engine ran out of memory", _MEMORY, OutOfMemory),
    "killed for memory": Way("the kernel ended the engine for want of memory", _MEMORY, OutOfMemory, outside=True),
    "hung": Way("the engine made no progress and was stopped", kind=WorkerHung),
    "starved": Way(
        "the engine had no processor for so long that it was stopped",
        "Other programs hold the processors: end some, or give Linnet a higher priority.",
        WorkerHung,
        outside=True,
    ),
    "lingered": Way("the engine closed its pipe, did not leave, and was stopped"),
    "broken": Way("the engine sent what is not a record", kind=ProtocolBroken),
    "descriptors": Way(
        "no worker can be started: {what}",
        "This process has too many files or processes open: close some, or raise `ulimit -n` and `ulimit -u`.",
        WorkerStartFailed,
        outside=True,
    ),
}
"""Every way, by the signal's name or in words. In loading, a crash is a failed start."""

KILLED_FOR_MEMORY = "Linnet saw the kernel end a process for want of memory."
"""Last words that a child's starter adds for it, which cannot speak any more."""

LINGERED = "Linnet ended it: its pipe had ended, and it had not."
"""Last words that a child's starter adds where it had to end it so."""

Stopped = Literal["", "hung", "starved"]
"""Why a child that is watched was stopped for want of progress, a row of the table; "" if it was not."""

_NO_MEMORY = re.compile(
    r"MemoryError|std::bad_alloc|[Cc]annot allocate memory|failed to allocate|unable to allocate|out of memory"
)
_FOR_NOW = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC})
"""Why no process or pipe can be had that a while may mend."""


def way(code: int, words: str = "", *, stopped: Stopped = "", broken: bool = False) -> str:
    """The row of the table for a child that ended with return code `code` (negative: a signal)."""
    if broken or stopped:
        return "broken" if broken else stopped
    if code == -signal.SIGKILL:
        return "lingered" if LINGERED in words else "killed for memory" if KILLED_FOR_MEMORY in words else "SIGKILL"
    if _NO_MEMORY.search(words):
        return "memory"
    if code >= 0:
        return "status"
    name = _signal_name(-code)
    return name if name in WAYS else "signal"


def from_outside(code: int, words: str = "", *, stopped: Stopped = "", broken: bool = False) -> bool:
    """Whether the end was ordered by somebody else, so that no request is to blame."""
    return WAYS[way(code, words, stopped=stopped, broken=broken)].outside


def explain(
    code: int, phase: str, words: str, *, stopped: Stopped = "", broken: ProtocolBroken | None = None
) -> EngineError:
    """The error for a child that ended with return code `code` (negative: a signal) in `phase`."""
    row = WAYS[way(code, words, stopped=stopped, broken=broken is not None)]
    details: dict[str, Any] = {"phase": phase, "status": code, "last_words": words[-500:]}
    if broken is not None:
        return ProtocolBroken(f"{broken.message} (in {phase})", **details)
    kind = WorkerStartFailed if phase == "load" and row.kind is WorkerCrashed else row.kind
    what = _signal_name(-code) if code < 0 else str(code)
    if code < 0 and not stopped and row.kind is WorkerCrashed:
        details["signal"] = what
    said = _quote(words) if code >= 0 or code == -signal.SIGABRT else ""
    return kind(f"{row.told.format(what=what)} in {phase}{said}", hint=row.advice, **details)


def unstarted(error: OSError) -> LinnetError | None:
    """The error for a child that could not even be started; None where waiting does not mend that."""
    if error.errno not in _FOR_NOW:
        return None
    row = WAYS["descriptors"]
    what = error.strerror or str(error)
    return row.kind(row.told.format(what=what), hint=row.advice, phase="load", errno=error.errno)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _quote(words: str) -> str:
    last = words.splitlines()[-1] if words else ""
    return f": {last[:200]}" if last else ""
