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

from linnet.calling.evidence import named, numbers, overlap, words
from linnet.calling.retrieve import Retriever, described
from linnet.requests import Model, Score, Segment, Usage, complete_all
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
    """A tool and what speaks for it: `overlap` in [0, 1], `gain` in nats, and how many of its required numbers
    and options the request names (`supported`) or does not (`unsupported`), at most 2 of each counted."""

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
        ranked, usage = rank(model, self._retriever.candidates(request, CANDIDATES), request)
        best = ranked[0].tool if ranked and ranked[0].score > self._margin else None
        return Chosen(best, ranked, usage)


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
    """`(named, not named)`: required numbers and options of a tool that the request has evidence for, or not."""
    properties = tool.parameters["properties"]
    required = [properties[name] for name in tool.parameters.get("required", ()) if name in properties]
    options = [schema["enum"] for schema in required if schema.get("enum")]
    numeric = sum(schema.get("type") in ("number", "integer") and not schema.get("enum") for schema in required)
    have = min(numeric, len(numbers(request)))
    have += sum(bool(named(request, [o for o in group if isinstance(o, str)])) for group in options)
    return have, numeric + len(options) - have


def introduce(tool: Tool) -> str:
    """A tool as a text that a request for it may follow."""
    name = re.sub(r"[._]", " ", tool.name)
    return f"Function: {name}({', '.join(tool.parameters['properties'])})\n{tool.description}\nUser request:"
