"""What a child may touch. The caller chooses it here; the child applies it to itself before it loads.

Covered: opening, listing, making or changing any file; TCP, UDP and UNIX sockets; running programs;
signalling or tracing other processes; gaining privileges; writing files and core dumps; the caller's
environment (a child's is empty) and descriptors (it inherits the pipe and the files that it works on, nothing
else). Of those files a child opens again what its native code takes by path only, and nothing beside.

Not covered: reading its own memory and the model file it was given; processor time, which deadlines and the
progress watchdog bound from outside; side channels of shared hardware; a kernel without Landlock or seccomp,
where `Ready.missing` says what could not be enforced, each answer says it too (`note`), and `required` refuses to
start.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from linnet.hardware.footprint import Footprint
from linnet.limits import MIB, Sandbox

DEMAND = "LINNET_REQUIRE_SANDBOX"
"""In the environment: holds for every child of this process, however it is started. The setting has that name too."""

_YES = ("1", "true", "yes", "on", "y", "t")
_demanded = False

_SLACK = 256 * MIB
_THREAD = 16 * MIB
"""What a thread may take: its stack, and what the C library sets aside for it."""


def demand() -> None:
    """From now on no child of this process is started with less than its whole sandbox."""
    global _demanded
    _demanded = True


def _required(asked: bool) -> bool:
    return asked or _demanded or os.environ.get(DEMAND, "").strip().lower() in _YES


def note(missing: Iterable[str]) -> tuple[str, ...]:
    """What an answer tells, in its `degraded`, of a child that ran with less than it should have."""
    parts = ", ".join(dict.fromkeys(missing))
    return (f"the sandbox was incomplete: {parts} could not be enforced",) if parts else ()


def memory_of(predicted: Footprint, threads: int) -> int:
    """Bytes of private memory that a worker may take: half as much again as it is predicted to, and 256 MiB.

    Weights that stay mapped do not count.
    """
    private = predicted.peak - predicted.weights
    return private * 3 // 2 + _SLACK + threads * _THREAD


def for_model(memory: int = 0, *, required: bool = False) -> Sandbox:
    """For the model worker: everything it needs was opened for it; `memory` as `memory_of` says, 0 for no limit."""
    return Sandbox(memory=memory, required=_required(required))


def with_more(confined: Sandbox, beside: int) -> Sandbox:
    """The same for a worker that is given another `beside` bytes to hold, twice while it reads them."""
    return replace(confined, memory=confined.memory + 2 * beside) if confined.memory else confined


def for_encoding(file_bytes: int, memory: int, *, required: bool = False) -> Sandbox:
    """For re-encoding a model: it opens two files that it was handed again, by descriptor, and fills one of them."""
    return Sandbox(file_bytes=file_bytes, memory=memory, required=_required(required))


def for_comparing(file_bytes: int = 0, *, required: bool = False) -> Sandbox:
    """For computing a model's predictions: as for the worker, and the file that they are written to may grow."""
    return Sandbox(file_bytes=file_bytes, required=_required(required))


def for_rendering(*, required: bool = False) -> Sandbox:
    """For chat templates: nothing at all; the child bounds its own memory."""
    return Sandbox(required=_required(required))


def for_page(memory: int, *, required: bool = False) -> Sandbox:
    """For finding the text of a web page, which it was handed: nothing beside."""
    return Sandbox(memory=memory, required=_required(required))


def for_python(memory: int) -> Sandbox:
    """For Python that a model wrote: nothing at all, and never with less than that."""
    return Sandbox(memory=memory, required=True)
