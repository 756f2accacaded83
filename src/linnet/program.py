"""The two records of a program that a tool runs: what it is run with, and how it ended."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS
from linnet.messages import STRICT

Ending = Literal["", "deadline", "memory", "tasks", "cancelled"]
"""Why a program was ended; "" if it ended by itself."""


@dataclass(frozen=True, config=STRICT)
class Launch:
    """Run a program with what `readable` and `writable` say, descriptors of folders and files, and nothing else.

    `cwd` is an inherited descriptor too, `memory` bytes of it and of all that it starts. `apart` asks for namespaces
    of its own, where they can be had.
    """

    argv: Annotated[tuple[str, ...], Field(min_length=1, max_length=LIMITS.program_words)]
    environment: dict[str, str]
    cwd: int
    seconds: float
    readable: Annotated[tuple[int, ...], Field(max_length=LIMITS.program_roots)] = ()
    writable: Annotated[tuple[int, ...], Field(max_length=LIMITS.program_roots)] = ()
    output_bytes: int = LIMITS.program_output_bytes
    memory: int = LIMITS.program_memory
    network: bool = False
    apart: bool = True
    record: Literal["launch"] = "launch"


@dataclass(frozen=True, config=STRICT)
class Exited:
    """The one good end of a `Launch`. Outputs are base64, the first bytes of what was written, `written` counts all.

    `status` is as in subprocess, None if the program was ended, and then `ended` says why; `left` counts processes
    that it left behind, which were ended too.
    """

    status: int | None
    ended: Ending
    output: tuple[str, str]
    written: tuple[int, int]
    left: int
    seconds: float
    enforced: tuple[str, ...]
    record: Literal["exited"] = "exited"
