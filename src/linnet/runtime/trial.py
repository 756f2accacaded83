"""The caller's side of running Python that a model wrote: one locked-down child for a few pieces, and its report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.errors import EngineError, RequestTooLarge
from linnet.limits import LIMITS
from linnet.runtime import job as one_job
from linnet.runtime import sandbox
from linnet.trial import Trial, Tried


@dataclass(frozen=True)
class Ran:
    """Of each piece the error that it ended with, "" for none. `ended` says why there is no report, and then every
    piece has that error; `cut` that more was printed than is kept."""

    errors: tuple[str, ...]
    printed: str = ""
    cut: bool = False
    ended: str = ""
    seconds: float = 0.0


def run(pieces: Sequence[str], seconds: float = LIMITS.python_seconds) -> Ran:
    """Run the pieces in turn, in one namespace, without files, network, processes or much memory, within `seconds`.

    Raises SandboxUnavailable where that cannot be enforced, before anything is run, and RequestTooLarge.
    """
    _check(pieces)
    started = time.monotonic()
    asked = Trial(tuple(pieces), sandbox.for_python(LIMITS.python_memory))
    try:
        answer = one_job.do(asked, (), LIMITS.start_seconds + seconds, one_job.once_ready(seconds, "the pieces"))
    except EngineError as error:
        ended = error.message.replace("the engine", "its process")
        return Ran((ended,) * len(pieces), ended=ended, seconds=time.monotonic() - started)
    if not isinstance(answer, Tried) or len(answer.errors) != len(pieces):
        ended = "the child answered what was not asked"
        return Ran((ended,) * len(pieces), ended=ended, seconds=time.monotonic() - started)
    return Ran(answer.errors, answer.printed, answer.cut, seconds=time.monotonic() - started)


def _check(pieces: Sequence[str]) -> None:
    if not 1 <= len(pieces) <= LIMITS.python_pieces:
        limit = LIMITS.python_pieces
        raise RequestTooLarge(f"{len(pieces)} pieces of Python; 1 to {limit} can be run", limit=limit)
    longest = max(map(len, pieces))
    if longest > LIMITS.python_chars:
        limit = LIMITS.python_chars
        raise RequestTooLarge(f"a piece of Python is {longest:,} characters long, over {limit:,}", limit=limit)
