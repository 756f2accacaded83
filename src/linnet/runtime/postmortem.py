"""Why a child ended, from its exit status and last words: one typed error with advice per way to die."""

from __future__ import annotations

import signal
from typing import Any

from linnet.errors import (
    EngineError,
    OutOfMemory,
    ProtocolBroken,
    WorkerCrashed,
    WorkerHung,
    WorkerStartFailed,
)

_ADVICE = {
    signal.SIGSEGV: "The native code read memory that is not its own: suspect the model file or a bug in llama.cpp.",
    signal.SIGBUS: "A mapped file shrank or its disk failed: check the model file, and that nothing rewrites it.",
    signal.SIGABRT: "The native code gave up on an assertion: its last words say which.",
    signal.SIGILL: "The engine was built for another processor: reinstall llama-cpp-python on this machine.",
    signal.SIGFPE: "The native code divided by zero: suspect the model file.",
    signal.SIGKILL: "Something ended it from outside; if the kernel did for want of memory, use a smaller model.",
    signal.SIGTERM: "Something asked it to end from outside.",
    signal.SIGXCPU: "It ran over its limit of processor time.",
    signal.SIGSYS: "It made a system call that the sandbox forbids: suspect the model file.",
}


def from_outside(code: int) -> bool:
    """Whether the end was ordered by somebody else, so that no request is to blame."""
    return code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)


def explain(
    code: int, phase: str, words: str, *, hung: bool = False, broken: ProtocolBroken | None = None
) -> EngineError:
    """The error for a child that ended with return code `code` (negative: a signal) in `phase`."""
    details: dict[str, Any] = {"phase": phase, "status": code, "last_words": words[-500:]}
    if broken is not None:
        return ProtocolBroken(f"{broken.message} (in {phase})", **details)
    if hung:
        return WorkerHung(f"the engine made no progress in {phase} and was stopped", **details)
    if "MemoryError" in words or "std::bad_alloc" in words:
        return OutOfMemory(f"the engine ran out of memory in {phase}", **details)
    kind = WorkerStartFailed if phase == "load" else WorkerCrashed
    if code < 0:
        name = _signal_name(-code)
        advice = _ADVICE.get(signal.Signals(-code)) if name.startswith("SIG") else None
        return kind(f"the engine was ended by {name} in {phase}", hint=advice, signal=name, **details)
    return kind(f"the engine left with status {code} in {phase}{_quote(words)}", **details)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _quote(words: str) -> str:
    last = words.splitlines()[-1] if words else ""
    return f": {last[:200]}" if last else ""
