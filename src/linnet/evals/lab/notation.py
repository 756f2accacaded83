"""In what form an answer is wanted: free text, one that keeps to a constraint, or calls of tools in some notation.

Hides three ways to calls: Linnet's own (guided, or the model's native notation, with prompts of their own), and any
dialect, told to the model in words with an example, and read as that dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linnet.calling.dialects.families import FAMILIES
from linnet.calling.profile import Way
from linnet.errors import ToolArgumentsInvalid
from linnet.evals.behaviour import WAYS
from linnet.messages import ToolCall
from linnet.requests import Choice, Pattern, Schema

TEXT = "text"
_EXAMPLE = ToolCall("function", {"parameter": "value"})


@dataclass(frozen=True)
class Notation:
    """`by` is `text`, the name of one of `WAYS`, or a dialect's row; a `constraint` goes with text only."""

    by: str = TEXT
    constraint: Choice | Pattern | Schema | None = None

    @property
    def calls(self) -> bool:
        """Whether its answers are calls."""
        return self.by != TEXT

    @property
    def way(self) -> Way | None:
        """Of those that write their prompts themselves."""
        return WAYS.get(self.by)

    @property
    def dialect(self) -> str:
        """The row of dialects that its answers are read by; "" for none."""
        return self.by if self.by in FAMILIES and self.by not in WAYS else ""

    @property
    def example(self) -> str:
        """A call in this notation, for `{call}` in a prompt; "" where there is none to show."""
        if not self.dialect:
            return ""
        try:
            return FAMILIES[self.dialect].dialect.render([_EXAMPLE])
        except ToolArgumentsInvalid:
            return ""

    def describe(self) -> dict[str, Any]:
        return {"by": self.by, "constraint": asdict(self.constraint) if self.constraint else None}


def known() -> tuple[str, ...]:
    """All names that `by` may have."""
    return (TEXT, *WAYS, *FAMILIES)


def told(lines: Sequence[str], example: str) -> str:
    """The system text of a dialect whose prompt says nothing of tools."""
    return "\n".join(
        (
            "You can call functions. Answer with nothing but the call that the request needs, written like this:",
            example,
            "Functions:",
            *lines,
        )
    )
