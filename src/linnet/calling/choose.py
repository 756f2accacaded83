"""Which tool a request wants, or none.

A small model is a poor judge when it is asked to pick a name, and a good one of how well two texts go
together. So each candidate is judged by how much likelier its description makes the request than "no tool"
does, which is introduced in the same shape (pointwise mutual information, in nats). That gain is combined
with what the request says by itself: words it shares with the tool, and evidence for its required arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling import evidence, kinds
from linnet.calling.evidence import overlap, words
from linnet.calling.moments import moments
from linnet.calling.retrieve import Retriever, described
from linnet.requests import Model, Score, Segment, Usage, complete_all
from linnet.schema import JsonSchema
from linnet.tools import Tool

CANDIDATES = 4
"""Tools that the model judges; BM25 holds the right one among four in 99 % of BFCL's `multiple`."""


@dataclass(frozen=True)
class Weights:
    """Log-odds that a request wants a tool, per unit of each feature of a Candidate.

    Fitted by logistic regression on 244 requests: the first 40 of each of four categories of BFCL's
    development half, 44 of examples/ and 40 out-of-scope ones of CLINC150 (`python -m
    linnet.evals.relevance`). AUC 0.905; 0.87 without the two kinds of evidence.
    """

    overlap: float = 3.80
    gain: float = 0.077
    supported: float = 0.50
    unsupported: float = -1.95
    bias: float = -1.60


WEIGHTS = Weights()

MARGIN = -1.0
"""Log-odds over which a tool is called. The fit saw as many requests with a tool as without; people who
give an agent tools mostly want them. Below 0 by this much, 98 % of the example requests that want a tool
get one, and 89 % of those that want none get none."""

NO_TOOL = "Function: answer question(question)\nAnswer a question from general knowledge.\nUser request:"

_JUDGED_CHARS = 600
"""Of a long request the beginning is judged: what is wanted is said there, and each character is paid k times."""


@dataclass(frozen=True)
class Candidate:
    """A tool and what speaks for it: `overlap` in [0, 1], `gain` in nats, and how many of its required
    arguments the request names (`supported`) or does not (`unsupported`), at most 2 of each counted."""

    tool: Tool
    overlap: float
    gain: float
    supported: int
    unsupported: int

    @property
    def score(self) -> float:
        """Log-odds that the request wants it."""
        w = WEIGHTS
        evidence = w.supported * min(2, self.supported) + w.unsupported * min(2, self.unsupported)
        return w.overlap * self.overlap + w.gain * self.gain + evidence + w.bias


@dataclass(frozen=True)
class Chosen:
    """The outcome: `tool` is None for "no tool"; `ranked` holds all that were judged, best first."""

    tool: Tool | None
    ranked: tuple[Candidate, ...]
    usage: Usage


class Chooser:
    """Chooses among a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], *, margin: float = MARGIN) -> None:
        self._retriever = Retriever(tools)
        self._margin = margin

    def choose(self, model: Model, request: str) -> Chosen:
        """The best tool if its score is over the margin. A higher margin abstains more often."""
        ranked, usage = rank(model, self._candidates(request), request)
        best = ranked[0].tool if ranked and ranked[0].score > self._margin else None
        return Chosen(best, ranked, usage)

    def _candidates(self, request: str) -> list[Tool]:
        """The tools that match best by words, and before them any that the request has other evidence for."""
        best = self._retriever.candidates(request, 2 * CANDIDATES)
        hinted = {tool.name: support(tool, request) for tool in best}
        best.sort(key=lambda tool: hinted[tool.name][1] - hinted[tool.name][0])
        return best[:CANDIDATES]


def rank(model: Model, tools: Sequence[Tool], request: str) -> tuple[tuple[Candidate, ...], Usage]:
    """The tools with what speaks for each, best first, and what the judging cost."""
    heard = " " + " ".join(request[:_JUDGED_CHARS].split())
    prompts = [NO_TOOL, *map(introduce, tools)]
    ends = complete_all(model, [Score((Segment(prompt, False),), (heard,)) for prompt in prompts])
    none, *likelihoods = [end.scores[0][0] for end in ends]
    asked = words(request)
    candidates = [
        Candidate(tool, overlap(asked, described(tool)), likelihood - none, *support(tool, request))
        for tool, likelihood in zip(tools, likelihoods, strict=True)
    ]
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    return tuple(ranked), sum((end.usage for end in ends), Usage())


def support(tool: Tool, request: str) -> tuple[int, int]:
    """`(named, not named)`: required arguments that the request has evidence for, or should have and has not.

    Numbers and options count both ways; times, files and lists can only speak for a tool, because they are
    said in more ways than are recognised.
    """
    properties = tool.parameters["properties"]
    required = {name: properties[name] for name in tool.parameters.get("required", ()) if name in properties}
    groups = [group for schema in required.values() if (group := kinds.options(schema))]
    numeric = sum(map(kinds.is_number, required.values()))
    have = min(numeric, len(evidence.numbers(request)))
    have += sum(bool(evidence.named(request, group)) for group in groups)
    return have + _hints(required, request), numeric + len(groups) - have


def _hints(required: dict[str, JsonSchema], request: str) -> int:
    """Required times, files and lists that the request names."""
    items = required.items()
    return sum(
        (
            bool(moments(request)) and any(kinds.is_time(name, schema) for name, schema in items),
            bool(evidence.paths(request)) and any(kinds.is_file(name, schema) for name, schema in items),
            len(evidence.listed(request)) > 2 and any(kinds.is_list(schema) for _, schema in items),
        )
    )


def introduce(tool: Tool) -> str:
    """A tool as a text that a request for it may follow."""
    name = re.sub(r"[._]", " ", tool.name)
    return f"Function: {name}({', '.join(tool.parameters['properties'])})\n{tool.description}\nUser request:"
