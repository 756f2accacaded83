"""One child for one job: started, watched for progress, and ended whatever happens, KeyboardInterrupt included."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from linnet.errors import DeadlineExceeded, ProtocolBroken, WorkerHung
from linnet.limits import LIMITS
from linnet.page import Extract, Extracted
from linnet.protocol import Beat, Compare, Compared, Encode, Failed, Recoded, Record
from linnet.runtime import child, postmortem
from linnet.trial import Trial, Tried

_TICK = 0.1
"""Seconds between two looks at the work."""

_MODULES: dict[type, str] = {Encode: "encode", Compare: "encode", Trial: "trial", Extract: "page"}

Look = Callable[[Record | None], float]
"""Given what arrived, if anything: how far the work is, a number that only grows."""


def do(job: Encode | Compare | Trial | Extract, descriptors: Sequence[int], seconds: float, look: Look) -> Record:
    """The answer of a child that inherits `descriptors`; `look` is asked several times a second, and may raise.

    Raises what the child reports, DeadlineExceeded after `seconds`, WorkerHung without progress, and the error for
    the way it died.
    """
    running = child.start(f"linnet.worker.{_MODULES[type(job)]}", descriptors)
    try:
        running.post(job)
        return _await(running, job.record, seconds, look)
    finally:
        running.kill()
        running.reap()


def once_ready(seconds: float, what: str) -> Look:
    """Ends the work so long after the child has said that it is ready."""
    end: list[float] = []

    def look(record: Record | None) -> float:
        if isinstance(record, Beat) and not end:  # the first one is ours, further ones may be forged
            end.append(time.monotonic() + seconds)
        if end and time.monotonic() > end[0]:
            raise DeadlineExceeded(f"{what} took longer than {seconds:g} s", seconds=seconds)
        return 0.0

    return look


def _await(running: child.Child, phase: str, seconds: float, look: Look) -> Record:
    reached, moved, end = -1.0, time.monotonic(), time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        record = _next(running, phase, min(_TICK, end - now))
        if isinstance(record, Failed):
            raise record.error()
        if isinstance(record, Recoded | Compared | Tried | Extracted):
            return record
        if (far := look(record)) > reached:
            reached, moved = far, now
        if now - moved > LIMITS.stall_seconds:
            raise WorkerHung(f"no progress for {LIMITS.stall_seconds:g} s, in {phase}", phase=phase)
    raise DeadlineExceeded(f"it took longer than {seconds:g} s, in {phase}", phase=phase, seconds=seconds)


def _next(running: child.Child, phase: str, seconds: float) -> Record | None:
    """What arrives in so many seconds, or None. Raises the error for a child that has ended."""
    broken = None
    try:
        return running.channel.pending() if running.channel.wait(seconds) else None
    except ProtocolBroken as error:
        broken = error
        running.kill()
    except (EOFError, OSError):
        pass
    code, words = running.reap()
    raise postmortem.explain(code, phase, words, broken=broken)
