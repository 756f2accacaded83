"""How `linnet run --trace` and the `/trace` of a chat draw a request: a tree, times to scale, tokens, reasons."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from linnet.interfaces.cli import output
from linnet.interfaces.cli.telling import tokens

if TYPE_CHECKING:
    from rich.text import Text

    from linnet.agent.question import Question
    from linnet.agent.trace import Node, Trace

_NAMES, _TIMES = 18, 10
"""Columns of the tree with the kinds, and of the times."""
_WIDEST = 120
_COLOURS = {"tool": "green", "answer": "cyan", "choose": "yellow", "fill": "magenta", "route": "blue"}
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Marks:
    """What trees and bars are drawn with: `ends` are blocks of growing width, the last one whole."""

    branch: str
    last: str
    through: str
    ends: str

    @property
    def whole(self) -> str:
        return self.ends[-1]


_LINES = Marks("├─ ", "└─ ", "│  ", _EIGHTHS)
_ASCII = Marks("|- ", "`- ", "|  ", " #")


@dataclass(frozen=True)
class Row:
    """One line of the tree, and what is said of it below; times in seconds since the turn began."""

    kind: str
    start: float
    seconds: float
    told: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


def draw(trace: Trace) -> list[Text]:
    """The lines, as wide as the terminal; in ASCII where stdout knows no more."""
    marks = _LINES if output.drawable(_LINES.branch + _LINES.last + _EIGHTHS) else _ASCII
    wide = shutil.get_terminal_size((80, 24)).columns if sys.stdout is not None and sys.stdout.isatty() else 80
    return list(_lines(rows(trace), max(40, min(_WIDEST, wide)), marks))


def rows(trace: Trace) -> Row:
    """The tree as it is drawn: questions that were asked together are one row."""
    told = [tokens(trace.usage)]
    if trace.load is not None:
        told.append(f"loading the model took {span(trace.load)} of it")
    inside = (*map(_of_node, trace.nodes), *_of_questions(trace.questions))
    return Row("request", 0.0, trace.seconds, tuple(told), tuple(sorted(inside, key=lambda row: row.start)))


def _of_node(node: Node) -> Row:
    step = node.step
    by = step.data.get("by")
    told = [step.detail, *([f"by {by}"] if isinstance(by, str) else [])]
    if step.usage.prompt_tokens or step.usage.generated_tokens:
        told.append(tokens(step.usage))
    inside = sorted((*map(_of_node, node.parts), *_of_questions(node.questions)), key=lambda row: row.start)
    return Row(step.kind, step.start, step.seconds, tuple(filter(None, told)), tuple(inside))


def _of_questions(questions: Sequence[Question]) -> Iterator[Row]:
    """A row for each, and one for those of a kind that were under way together."""
    for kind, group in groupby(questions, key=lambda question: question.kind):
        together: list[Question] = []
        for question in group:
            if together and question.start >= max(other.end for other in together):
                yield _of_group(kind, together)
                together = []
            together.append(question)
        yield _of_group(kind, together)


def _of_group(kind: str, asked: Sequence[Question]) -> Row:
    from linnet.requests import Usage

    start = min(question.start for question in asked)
    told = [tokens(sum((question.usage for question in asked), Usage()))]
    told += dict.fromkeys(f"remembered ({question.cached})" for question in asked if question.cached)
    told += dict.fromkeys(f"failed: {question.error}" for question in asked if question.error)
    if len(asked) == 1 and asked[0].first is not None:
        told.append(f"first token after {span(asked[0].first)}")
    name = f"{len(asked)} {kind}" if len(asked) > 1 else kind
    return Row(name, start, max(question.end for question in asked) - start, tuple(told))


# --- words ---------------------------------------------------------------------------------------


def span(seconds: float) -> str:
    """A time in the unit that suits it."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1_000 * seconds:.{0 if seconds >= 0.1 else 1}f} ms"


# --- lines ---------------------------------------------------------------------------------------


def _lines(root: Row, width: int, marks: Marks) -> Iterator[Text]:
    yield from _of_row(root, "", "", root.seconds, width, marks)


def _of_row(row: Row, lead: str, below: str, whole: float, width: int, marks: Marks) -> Iterator[Text]:
    room = width - _NAMES - _TIMES - 2
    line = output.cell(f"{lead}{row.kind}"[:_NAMES].ljust(_NAMES), "bold")
    line.append(span(row.seconds).rjust(_TIMES) + "  ", "dim")
    line.append(bar(row.start, row.seconds, whole, room, marks), _COLOURS.get(row.kind, ""))
    line.rstrip()
    yield line
    under = below + (marks.through if row.rows else "   ")
    for text in _wrapped(" · " if marks is _LINES else " - ", row.told, width - len(under)):
        yield output.cell(under + text, "dim")
    for number, inner in enumerate(row.rows, 1):
        last = number == len(row.rows)
        begin, rest = (marks.last, "   ") if last else (marks.branch, marks.through)
        yield from _of_row(inner, below + begin, below + rest, whole, width, marks)


def bar(start: float, seconds: float, whole: float, room: int, marks: Marks) -> str:
    """A stretch of time to scale: `room` columns are the whole. What took any time has a mark."""
    if whole <= 0 or seconds <= 0:
        return ""
    steps = len(marks.ends) - 1
    first = min(int(room * start / whole), room - 1)
    parts = max(1, min(round(room * seconds / whole * steps), (room - first) * steps))
    full, rest = divmod(parts, steps)
    return " " * first + marks.whole * full + (marks.ends[rest] if rest else "")


def _wrapped(between: str, told: Sequence[str], width: int) -> list[str]:
    import textwrap

    text = " ".join(output.printable(between.join(told)).split())
    return textwrap.wrap(text, max(20, width), max_lines=3, placeholder=" ...")
