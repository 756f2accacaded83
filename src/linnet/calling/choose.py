"""Which tools a request wants, and for which portion of it; or none.

A small model is a poor judge when it is asked to pick a name, and a good one of how well two texts go
together. So each candidate is judged by how much likelier its description makes the request than "no tool"
does, which is introduced in the same shape (pointwise mutual information, in nats). That gain is combined
with what the request says by itself: words it shares with the tool, and evidence for its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Weights, fitted, weigh
from linnet.calling.ranking.relevance import features
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.retrieve import Retriever, introduce
from linnet.requests import Model, Score, Segment, Usage, complete_all
from linnet.tools import Tool

CANDIDATES = 4
"""Tools that the model judges; BM25 holds the right one among four in 99 % of BFCL's `multiple`."""

MARGIN = 0.5
"""Log-odds over which a tool is called."""

ALSO = 1.0
"""Log-odds over which a tool is one of several that are meant."""

NO_TOOL = "Function: answer question(question)\nAnswer a question from general knowledge.\nUser request:"

_JUDGED_CHARS = 600
"""Of a long request the beginning is judged: what is wanted is said there, and each character is paid k times."""


@dataclass(frozen=True)
class Candidate:
    """A tool with the log-odds that the request wants it; `gain` is the model's part of them, in nats."""

    tool: Tool
    score: float
    gain: float


@dataclass(frozen=True)
class Chosen:
    """The outcome: tools with the text that each is to be filled from, none for "no tool"; `ranked` holds all
    that were judged, best first."""

    picked: tuple[tuple[Tool, str], ...]
    ranked: tuple[Candidate, ...]
    usage: Usage


class Chooser:
    """Chooses among a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], *, margin: float = MARGIN) -> None:
        self._retriever = Retriever(tools)
        self._size = len(tools)
        self._margin = margin

    def choose(self, model: Model, request: str) -> Chosen:
        """The best tool if its score is over the margin, and others that are meant as well. A higher margin
        abstains more often."""
        found = self._retriever.candidates(request, 2 * CANDIDATES)
        ranked, usage = rank(model, found[:CANDIDATES], request, self._size)
        if not ranked or ranked[0].score <= self._margin:
            return Chosen((), ranked, usage)
        return Chosen(_picked(ranked[0].tool, found, request), ranked, usage)


def _picked(best: Tool, found: Sequence[Tool], request: str) -> tuple[tuple[Tool, str], ...]:
    """The tools that are meant with their portions of the request, in the order in which it names them."""
    portions = Portions(found, Reading(request))
    odds = portions.meant(fitted().tools)
    among = [number for number in range(len(found)) if odds[number] > ALSO]
    if len(among) < 2:
        return ((best, request),)
    return tuple((found[number], text) for number, text in portions.deal(among).items())


def rank(
    model: Model, tools: Sequence[Tool], request: str, size: int | None = None
) -> tuple[tuple[Candidate, ...], Usage]:
    """The tools with the log-odds for each, best first, and what the judging cost; `size` tools are on offer."""
    heard = " " + " ".join(request[:_JUDGED_CHARS].split())
    prompts = [NO_TOOL, *map(introduce, tools)]
    ends = complete_all(model, [Score((Segment(prompt, False),), (heard,), stable=1) for prompt in prompts])
    none, *likelihoods = [end.scores[0][0] for end in ends]
    reading, weights = Reading(request), fitted()
    candidates = [
        _candidate(tool, reading, likelihood - none, len(tools) if size is None else size, weights)
        for tool, likelihood in zip(tools, likelihoods, strict=True)
    ]
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    return tuple(ranked), sum((end.usage for end in ends), Usage())


def _candidate(tool: Tool, reading: Reading, gain: float, size: int, weights: Weights) -> Candidate:
    sheet = Sheet(tool, parameters(tool), reading, weights)
    return Candidate(tool, weigh(features(sheet, gain, size), weights.relevance), gain)
