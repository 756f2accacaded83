"""Trace: what was done for a request as a tree, out of its flat steps and questions. Plain values, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linnet.agent.question import Question
from linnet.agent.result import Result
from linnet.messages import Step
from linnet.requests import Usage

_BEFORE, _AFTER = 1e-7, 0.001
"""Seconds by which what lies within a step may seem to stick out of it: by rounding, and because what a Model of
Models tells of its parts is counted from when it was read, not from when it was asked."""


@dataclass(frozen=True)
class Node:
    """A step with what the model was asked for it, and the steps that were a part of it."""

    step: Step
    questions: tuple[Question, ...] = ()
    parts: tuple[Node, ...] = ()

    @property
    def end(self) -> float:
        return self.step.start + self.step.seconds

    def holds(self, start: float, end: float) -> bool:
        return self.step.start - _BEFORE <= start <= self.end and end <= self.end + _AFTER

    def describe(self) -> dict[str, Any]:
        told = asdict(self.step)
        told |= {"start": round(self.step.start, 4), "seconds": round(self.step.seconds, 4)}
        told["questions"] = [question.describe() for question in self.questions]
        return told | {"parts": [part.describe() for part in self.parts]}


@dataclass(frozen=True)
class Trace:
    """All of a turn. `questions` are those that belong to no step, as where one failed; `load` are the seconds that
    the model's worker says that it took to load, within the first question; None where none was loaded."""

    seconds: float
    usage: Usage
    nodes: tuple[Node, ...] = ()
    questions: tuple[Question, ...] = ()
    load: float | None = None

    def all_questions(self) -> Iterator[Question]:
        """In the order of their beginnings."""
        yield from sorted((*self.questions, *_within(self.nodes)), key=lambda question: question.start)

    def describe(self) -> dict[str, Any]:
        """The one JSON form."""
        return {
            "seconds": round(self.seconds, 4),
            "usage": asdict(self.usage),
            "load": self.load,
            "steps": [node.describe() for node in self.nodes],
            "questions": [question.describe() for question in self.questions],
        }


def trace_of(result: Result, load: float | None = None) -> Trace:
    """The trace of a turn that has a Result."""
    return trace(result.steps, result.questions, result.seconds, result.usage, load)


def trace(
    steps: Iterable[Step],
    questions: Iterable[Question],
    seconds: float,
    usage: Usage,
    load: float | None = None,
) -> Trace:
    """Steps come in the order of their ends, so that the parts of one stand right before it. Counting tokens is left
    out: it computes nothing."""
    nodes: list[Node] = []
    for step in steps:
        node = Node(step)
        first = len(nodes)
        while first and step.seconds and node.holds(nodes[first - 1].step.start, nodes[first - 1].end):
            first -= 1
        nodes[first:] = [Node(step, parts=tuple(nodes[first:]))]
    rest = [question for question in questions if question.kind != "count"]
    return Trace(seconds, usage, *_asked(nodes, rest), load)


def _asked(nodes: Sequence[Node], questions: Sequence[Question]) -> tuple[tuple[Node, ...], tuple[Question, ...]]:
    """Each question with the innermost step that it lies in, and those that are left."""
    done: list[Node] = []
    for node in nodes:
        own = [question for question in questions if node.holds(question.start, question.end)]
        questions = [question for question in questions if question not in own]
        parts, left = _asked(node.parts, own)
        done.append(Node(node.step, left, parts))
    return tuple(done), tuple(questions)


def _within(nodes: Iterable[Node]) -> Iterator[Question]:
    for node in nodes:
        yield from node.questions
        yield from _within(node.parts)
