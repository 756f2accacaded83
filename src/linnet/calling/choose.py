"""Which tools a request wants, and for which portion of it; or none.

A small model is a poor judge when it is asked to pick a name, and a good one of how well two texts go
together. So each candidate is judged by how much likelier its description makes the request than "no tool"
does, which is introduced in the same shape (pointwise mutual information, in nats). That gain is combined
with what the request says by itself: words it shares with the tool, and evidence for its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Doubt, fitted, weigh
from linnet.calling.ranking.relevance import features, with_gain
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
    """A tool with the log-odds that the request wants it; `gain` is the model's part of them, in nats, and None
    where the model was not asked."""

    tool: Tool
    score: float
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
        found, reading = self._retriever.candidates(request, 2 * CANDIDATES), Reading(request)
        evidence = [Evidence(tool, reading, self._size) for tool in found[:CANDIDATES]]
        several = _several(found, reading)
        ranked, usage = _by_evidence(evidence), Usage()
        if not settled(ranked, self._margin, fitted().doubt, bool(several)):
            ranked, usage = rank(model, evidence, request)
        if not ranked or ranked[0].score <= self._margin:
            return Chosen((), ranked, usage)
        return Chosen(several or ((ranked[0].tool, request),), ranked, usage)


def _several(found: Sequence[Tool], reading: Reading) -> tuple[tuple[Tool, str], ...]:
    """The tools that are meant with their portions of the request, in the order in which it names them; none
    where it does not mean several."""
    portions = Portions(found, reading)
    odds = portions.meant(fitted().tools)
    among = [number for number in range(len(found)) if odds[number] > ALSO]
    if len(among) < 2:
        return ()
    return tuple((found[number], text) for number, text in portions.deal(among).items())


# --- by evidence ---------------------------------------------------------------------------------


class Evidence:
    """What speaks for one of `size` tools in the request itself."""

    def __init__(self, tool: Tool, reading: Reading, size: int) -> None:
        self.tool, self.reading = tool, reading
        self.features = features(Sheet(tool, parameters(tool), reading, fitted()), size)


def _by_evidence(judged: Sequence[Evidence]) -> tuple[Candidate, ...]:
    weights = fitted().evident
    return _ranked(Candidate(each.tool, weigh(each.features, weights)) for each in judged)


def settled(ranked: Sequence[Candidate], margin: float, doubt: Doubt, several: bool = False) -> bool:
    """Whether evidence alone decides: no tool is near the margin, or the best is far over it and, unless
    `several` are meant anyhow, far ahead of the second."""
    if not ranked:
        return True
    odds = [candidate.score for candidate in ranked]
    ahead = doubt.ahead if several or len(odds) < 2 else odds[0] - odds[1]
    return odds[0] < margin - doubt.below or (odds[0] > margin + doubt.above and ahead >= doubt.ahead)


# --- by the model --------------------------------------------------------------------------------


def rank(model: Model, judged: Sequence[Evidence], request: str) -> tuple[tuple[Candidate, ...], Usage]:
    """The tools with the log-odds for each, best first, and what the model's judging cost."""
    gains, usage = gains_of(model, [each.tool for each in judged], request)
    weights = fitted().relevance
    return _ranked(
        Candidate(each.tool, weigh(with_gain(each.features, each.reading, gain), weights), gain)
        for each, gain in zip(judged, gains, strict=True)
    ), usage


def gains_of(model: Model, tools: Sequence[Tool], request: str) -> tuple[list[float], Usage]:
    """How much likelier each tool's introduction makes the request than "no tool" does, in nats."""
    heard = " " + " ".join(request[:_JUDGED_CHARS].split())
    prompts = [NO_TOOL, *map(introduce, tools)]
    ends = complete_all(model, [Score((Segment(prompt, False),), (heard,), stable=1) for prompt in prompts])
    none, *likelihoods = [end.scores[0][0] for end in ends]
    return [nats - none for nats in likelihoods], sum((end.usage for end in ends), Usage())


def _ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda candidate: -candidate.score))
