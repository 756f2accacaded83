"""Which tools a request wants, and for which portion of it; or none.

What the request says by itself mostly settles it: words it shares with the tools, what it is after, its form, and
evidence for arguments. Where that leaves doubt, the model is asked. A small model is a poor judge when it is asked
to pick a name, and a good one of how well two texts go together. So each candidate is judged by how much likelier
its description makes the request than "no tool" does, which is introduced in the same shape (pointwise mutual
information, in nats).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.evidence.reading import Reading
from linnet.calling.picking import GAIN, picked_tool
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Doubt, Weights, fitted
from linnet.calling.ranking.relevance import Suit, by_evidence, by_model, suits
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
    """A tool with the log-odds that the request wants it. `fit` tells which of several does best; `gain` is the
    model's part of both, in nats, and None where the model was not asked."""

    tool: Tool
    score: float
    fit: float = 0.0
    gain: float | None = None


@dataclass(frozen=True)
class Chosen:
    """The outcome: tools with the text that each is to be filled from, none for "no tool"; `ranked` holds all
    that were judged, best first."""

    picked: tuple[tuple[Tool, str], ...]
    ranked: tuple[Candidate, ...]
    usage: Usage

    @property
    def asked(self) -> bool:
        """Whether the model was, or evidence settled it."""
        return any(candidate.gain is not None for candidate in self.ranked)


class Chooser:
    """Chooses among a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], *, margin: float = MARGIN) -> None:
        self._retriever = Retriever(tools)
        self._size = len(tools)
        self._margin = margin

    def choose(self, model: Model, request: str) -> Chosen:
        """The best tool if its score is over the margin, and others that are meant as well. A higher margin
        abstains more often. The model is asked only where evidence leaves doubt."""
        found = self._retriever.candidates(request, 2 * CANDIDATES)
        portions, tools, weights = Portions(found, Reading(request)), found[:CANDIDATES], fitted()
        evidence = [by_evidence(each, weights) for each in suits(portions, CANDIDATES, self._size, weights)]
        several = _several(portions, weights)
        ranked, usage = _ranked(tools, evidence), Usage()
        if not settled(ranked, self._margin, weights.doubt, bool(several)):
            asked = gains_of if model.capabilities.scores else picks_of
            gains, usage = asked(model, tools, request)
            told = [by_model(e, portions.reading, gain, weights) for e, gain in zip(evidence, gains, strict=True)]
            ranked = _ranked(tools, told, gains)
        if not ranked or ranked[0].score <= self._margin:
            return Chosen((), ranked, usage)
        return Chosen(several or ((ranked[0].tool, request),), ranked, usage)


def _several(portions: Portions, weights: Weights) -> tuple[tuple[Tool, str], ...]:
    """The tools that are meant with their portions of the request, in the order in which it names them; none
    where it does not mean several."""
    among = [number for number, odds in enumerate(portions.meant(weights.tools)) if odds > ALSO]
    if len(among) < 2:
        return ()
    return tuple((portions.tools[number], text) for number, text in portions.deal(among).items())


def _ranked(
    tools: Sequence[Tool], judged: Sequence[Suit], gains: Sequence[float] | None = None
) -> tuple[Candidate, ...]:
    told = gains if gains is not None else [None] * len(judged)
    found = [Candidate(tool, j.odds, j.fit, gain) for tool, j, gain in zip(tools, judged, told, strict=True)]
    return tuple(sorted(found, key=lambda candidate: -candidate.fit))


def settled(ranked: Sequence[Candidate], margin: float, doubt: Doubt, several: bool = False) -> bool:
    """Whether evidence alone decides: the best tool is far below the margin, or far above it and, unless `several`
    are meant anyhow, far ahead of the second."""
    if not ranked:
        return True
    best = ranked[0]
    alone = several or len(ranked) < 2
    ahead = doubt.ahead if alone else best.fit - ranked[1].fit
    return best.score < margin - doubt.below or (best.score > margin + doubt.above and ahead >= doubt.ahead)


def gains_of(model: Model, tools: Sequence[Tool], request: str) -> tuple[list[float], Usage]:
    """How much likelier each tool's introduction makes the request than "no tool" does, in nats."""
    heard = " " + " ".join(request[:_JUDGED_CHARS].split())
    prompts = [NO_TOOL, *map(introduce, tools)]
    ends = complete_all(model, [Score((Segment(prompt, False),), (heard,), stable=1) for prompt in prompts])
    none, *likelihoods = [end.scores[0][0] for end in ends]
    return [nats - none for nats in likelihoods], sum((end.usage for end in ends), Usage())


def picks_of(model: Model, tools: Sequence[Tool], request: str) -> tuple[list[float], Usage]:
    """The same of a model that has no likelihoods to give, and says which tool it would take."""
    heard = " ".join(request[:_JUDGED_CHARS].split())
    pick, usage = picked_tool(model, [introduce(tool) for tool in tools], [tool.name for tool in tools], heard)
    return [GAIN if place == pick else -GAIN for place in range(len(tools))], usage
