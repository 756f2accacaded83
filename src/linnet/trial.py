"""Python that is tried in a child, and what came of it: two records on the pipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS, Sandbox
from linnet.messages import STRICT


@dataclass(frozen=True, config=STRICT)
class Trial:
    """Run pieces of Python one after the other in one namespace, in a child that runs nothing else."""

    pieces: Annotated[tuple[str, ...], Field(min_length=1, max_length=LIMITS.python_pieces)]
    sandbox: Sandbox = Sandbox()
    record: Literal["trial"] = "trial"


@dataclass(frozen=True, config=STRICT)
class Tried:
    """The one good end of a `Trial`: of each piece the error that it ended with, "" for none; then what all of them
    printed, and whether that was cut. It is what the pieces make of it: code that means to lie here can."""

    errors: tuple[str, ...]
    printed: str = ""
    cut: bool = False
    missing: tuple[str, ...] = ()
    record: Literal["tried"] = "tried"
