"""Which tool a request wants, or none.

A small model is a poor judge when it is asked to pick a name, and a good one of how well two texts go
together. So each candidate is judged by how much likelier its description makes the request than no
description does (pointwise mutual information, in nats); "no tool" is the plain prompt. The gain and the
share of described words are combined by a rule that was fitted (see `linnet.evals.relevance`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.evidence import overlap, words
from linnet.calling.retrieve import Retriever, described
from linnet.requests import Model, Score, Segment, Usage, complete_all
from linnet.tool import Tool

CANDIDATES = 4
"""Tools that the model judges; BM25 holds the right one among four in 99 % of BFCL's `multiple`."""

OVERLAP_WEIGHT, GAIN_WEIGHT, BIAS = 2.76, 0.0851, -1.93
"""Log-odds that the request wants the tool. Fitted on 240 cases of BFCL's development half
(`python -m linnet.evals.relevance`): AUC 0.87, 0.82 for the overlap alone and 0.85 for the gain alone."""

_JUDGED_CHARS = 600
"""Of a long request the beginning is judged: what is wanted is said there, and each character is paid k times."""


@dataclass(frozen=True)
class Candidate:
    """A tool with what speaks for it: `overlap` in [0, 1], `gain` in nats, `score` in log-odds."""

    tool: Tool
    overlap: float
    gain: float

    @property
    def score(self) -> float:
        return OVERLAP_WEIGHT * self.overlap + GAIN_WEIGHT * self.gain + BIAS


@dataclass(frozen=True)
class Chosen:
    """The outcome: `tool` is None for "no tool"; `ranked` holds all that were judged, best first."""

    tool: Tool | None
    ranked: tuple[Candidate, ...]
    usage: Usage


class Chooser:
    """Chooses among a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], *, margin: float = 0.0) -> None:
        self._retriever = Retriever(tools)
        self._margin = margin

    def choose(self, model: Model, request: str) -> Chosen:
        """The best tool if its score is over the margin. A higher margin abstains more often."""
        tools = self._retriever.candidates(request, CANDIDATES)
        heard = " " + " ".join(request[:_JUDGED_CHARS].split())
        prompts = ["User request:", *map(introduce, tools)]
        ends = complete_all(model, [Score((Segment(prompt, False),), (heard,)) for prompt in prompts])
        plain, *gains = [end.scores[0][0] for end in ends]
        asked = words(request)
        ranked = sorted(
            (Candidate(t, overlap(asked, described(t)), g - plain) for t, g in zip(tools, gains, strict=True)),
            key=lambda candidate: -candidate.score,
        )
        best = ranked[0] if ranked and ranked[0].score > self._margin else None
        usage = sum((end.usage for end in ends), Usage())
        return Chosen(best.tool if best else None, tuple(ranked), usage)


def introduce(tool: Tool) -> str:
    """A tool as a text that a request for it may follow."""
    name = re.sub(r"[._]", " ", tool.name)
    return f"Function: {name}({', '.join(tool.parameters['properties'])})\n{tool.description}\nUser request:"
