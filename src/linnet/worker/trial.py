"""The child that runs a model's Python, `python -P -m linnet.worker.trial SOCKET_FD PARENT_PID`, and leaves.

One job, one answer. What the pieces may want to import is imported first, then the process locks itself down:
no file, no network, no process, no more memory than the sandbox says. Each piece has a processor time of its own;
the caller bounds the whole from outside, from the moment at which the process is ready.

Covered: what `linnet.worker.lockdown` says, endless loops, floods of output, `exit`, exceptions of any kind.
Not covered: the pieces share this interpreter, so that one which means to can say of itself and of the others what
it likes; what comes back is a report, not a proof.
"""

from __future__ import annotations

import importlib
import io
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from linnet.limits import LIMITS
from linnet.protocol import Beat
from linnet.trial import Trial, Tried
from linnet.worker import errand, lockdown

_OFFERED = (
    "abc array base64 binascii bisect calendar cmath collections contextlib copy csv dataclasses datetime decimal "
    "difflib enum fractions functools hashlib heapq html inspect io itertools json math numbers operator os pprint "
    "random re statistics string struct textwrap time traceback types typing unicodedata unittest uuid zlib"
).split()
"""Modules that pieces find imported: behind the lock no other one can be read."""

_ERROR_CHARS = 300


def run(job: Trial, ready: Callable[[], None]) -> Tried:
    """Calls `ready` before the first piece. Raises SandboxUnavailable, before it, where the lock cannot be had."""
    for name in _OFFERED:
        importlib.import_module(name)
    if sys.platform == "linux":  # elsewhere there is no lock, and nothing is run
        signal.signal(signal.SIGPROF, _late)
        _bound(2 * job.sandbox.memory)
    _, missing = lockdown.apply(job.sandbox)
    paper = _Paper(LIMITS.python_output)
    sys.stdout = sys.stderr = paper
    ready()
    namespace: dict[str, Any] = {"__name__": "__trial__"}
    with warnings.catch_warnings(action="ignore"):
        errors = tuple(_error(piece, number, namespace) for number, piece in enumerate(job.pieces))
    return Tried(errors, _clean(paper.text), paper.cut, missing)


def _bound(room: int) -> None:
    """All of the address space, by so much more: the sandbox's own limit does not count shared memory."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _error(piece: str, number: int, namespace: dict[str, Any]) -> str:
    """What a piece ends with: "" for nothing, else the error's name and what it says."""
    signal.setitimer(signal.ITIMER_PROF, LIMITS.python_piece_seconds)
    try:
        exec(compile(piece, f"<piece {number}>", "exec"), namespace)
    except BaseException as error:
        return _clean(f"{type(error).__name__}: {error}".removesuffix(": "))[:_ERROR_CHARS]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def _late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"it ran longer than {LIMITS.python_piece_seconds:g} s")


class _Paper(io.TextIOBase):
    """Where the pieces print: it takes so many characters, and remembers whether there were more."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: list[str] = []
        self.cut = False

    @property
    def text(self) -> str:
        return "".join(self._kept)

    def write(self, text: str) -> int:
        self.cut = self.cut or len(text) > self._room
        if kept := text[: self._room]:
            self._kept.append(kept)
        self._room -= len(kept)
        return len(text)


def _clean(text: str) -> str:
    """Without halves of characters, which the pipe does not carry."""
    return text.encode(errors="replace").decode()


# --- the child -----------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    return errand.run(arguments, Trial, lambda job, channel: run(job, lambda: channel.send(Beat("load", 1.0))))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
