"""Which phase a request is in at each moment: a trace cut into stretches that do not overlap. Plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from linnet.agent.question import Question
from linnet.agent.trace import Node, Trace
from linnet.requests import Usage

PHASES = ("start", "load", "route", "choose", "fill", "prefill", "decode", "tools", "other", "end")
"""In the order in which they are told. `prefill` is the time until the first token of an answer, and all of a
score's; `other` what is left of the turn."""

_KINDS = {"route": "route", "choose": "choose", "native": "choose", "fill": "fill", "tool": "tools"}
_FIRST = ("load", "prefill", "decode", "tools", "fill", "choose", "route", "other")
"""Where several cover a moment, the first one has it: what runs in a worker before the code that waits for it."""


@dataclass(frozen=True)
class Stretch:
    """A time in one phase, in seconds on the caller's clock."""

    phase: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def stretches(trace: Trace, began: float, load: tuple[float, float] | None = None) -> list[Stretch]:
    """A turn that began at `began`, in order and without gaps; `load` is when a worker was being started."""
    ended = began + trace.seconds
    found = [Stretch("other", began, ended), *_of_nodes(trace.nodes, began)]
    for question in trace.all_questions():
        found += _of_question(question, began)
    if load is not None:
        found.append(Stretch("load", *load))
    return list(_cut(found, began, ended))


def spent(trace: Trace) -> dict[str, Usage]:
    """Tokens by phase: prompts where they are read, answers where they are made."""
    total = sum((question.usage for question in trace.all_questions()), Usage())
    made = Usage(0, 0, total.generated_tokens, total.forced_tokens, total.guessed_tokens)
    return {"prefill": Usage(total.prompt_tokens, total.cached_tokens), "decode": made}


def _of_nodes(nodes: Iterable[Node], began: float) -> Iterator[Stretch]:
    for node in nodes:
        if phase := _KINDS.get(node.step.kind):
            yield Stretch(phase, began + node.step.start, began + node.end)
        yield from _of_nodes(node.parts, began)


def _of_question(question: Question, began: float) -> Iterator[Stretch]:
    start, end = began + question.start, began + question.end
    first = end if question.first is None else min(end, start + question.first)
    yield Stretch("prefill", start, first)
    yield Stretch("decode", first, end)


def _cut(found: Iterable[Stretch], began: float, ended: float) -> Iterator[Stretch]:
    layers = sorted(found, key=lambda stretch: _FIRST.index(stretch.phase))
    edges = {edge for stretch in layers for edge in (stretch.begin, stretch.end)}
    current: Stretch | None = None
    for begin, end in pairwise(sorted({began, ended, *(edge for edge in edges if began < edge < ended)})):
        phase = next(each.phase for each in layers if each.begin <= begin and end <= each.end)
        if current is not None and current.phase == phase:
            current = Stretch(phase, current.begin, end)
            continue
        if current is not None:
            yield current
        current = Stretch(phase, begin, end)
    if current is not None:
        yield current
