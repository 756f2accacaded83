"""The context budget: how many tokens each section takes, as numbers and as bars to scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class Section:
    """`tokens` of the window; `style` is how its bar looks."""

    name: str
    tokens: int
    style: str = ""


STYLES = {
    "system": "magenta",
    "tools": "yellow",
    "memory": "green",
    "older": "cyan",
    "history": "blue",
    "request": "bright_blue",
    "answer": "red",
    "choosing": "yellow",
    "free": "dim",
}

_ALWAYS = ("system", "tools", "memory", "history", "answer", "free")


def sections(sizes: Mapping[str, int]) -> tuple[Section, ...]:
    """Sizes as a Fitter gives them -> the sections that together are the window, and nothing twice.

    `answer` is kept for the answer, `choosing` for the prompts in which the model is asked about tools between two
    answers, and `free` is what the history can still take.
    """
    window, room, answer = sizes["window"], sizes["room"], sizes["answer"]
    said = {name: sizes.get(name, 0) for name in ("system", "tools", "memory", "older", "history", "request")}
    found = {
        **said,
        "answer": answer,
        "choosing": max(0, window - room - answer),
        "free": max(0, room - sum(said.values())),
    }
    return tuple(Section(name, tokens, STYLES[name]) for name, tokens in found.items() if tokens or name in _ALWAYS)


_BAR = 40


def bars(found: Sequence[Section], window: int, width: int) -> list[Text]:
    """A line for each section, whose bar begins where the one above it ends. `width` in cells."""
    from rich.text import Text

    room = max(10, min(_BAR, width - 32))
    lines, before = [], 0
    for section in found:
        begin, end = _place(before, window, room), _place(before + section.tokens, window, room)
        if section.tokens and begin == end:  # what is there is seen
            begin = min(begin, room - 1)
            end = begin + 1
        before += section.tokens
        line = Text(f"{section.name:<9}{section.tokens:>8,}{section.tokens / window:>7.1%}  ")
        line.append("·" * begin, "dim")
        line.append(("░" if section.name == "free" else "█") * (end - begin), section.style)
        line.append("·" * (room - end), "dim")
        lines.append(line)
    return lines


def _place(tokens: int, window: int, room: int) -> int:
    return min(room, round(tokens * room / window))
