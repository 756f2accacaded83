"""What one tool could take from one text: each parameter's candidates with what the weights say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidates import Candidate, candidates
from linnet.calling.ranking.features import Scene
from linnet.calling.ranking.ranker import Weights, ranked, weigh
from linnet.tools import Tool

WORST = 8.0
"""Nats below a parameter's best candidate at which all others are as bad as each other."""


class Sheet:
    """The candidates of all parameters of a tool in one text, and their logits."""

    def __init__(self, tool: Tool, parameters: Sequence[Parameter], reading: Reading, weights: Weights) -> None:
        self.tool, self.parameters, self.reading, self.weights = tool, tuple(parameters), reading, weights
        scene = Scene(tool, self.parameters, reading)
        self.found: dict[Parameter, list[Candidate]] = {p: candidates(p, reading) for p in self.parameters}
        self.logits: dict[Parameter, list[float]] = {
            p: [weigh(scene.features(p, c), weights.features) for c in found] for p, found in self.found.items()
        }

    @cached_property
    def ways(self) -> dict[Parameter, Ranked]:
        """Each parameter's candidates with their log-probabilities, best first."""
        return {p: ranked(found, self.logits[p]) for p, found in self.found.items()}

    @cached_property
    def costs(self) -> Mapping[Parameter, list[tuple[Candidate, float]]]:
        """Each parameter's candidates with the nats that they are worse than the best, at most WORST."""
        return {
            p: [(c, min(WORST, max(logits) - logit)) for c, logit in zip(self.found[p], logits, strict=True)]
            for p, logits in self.logits.items()
        }

    def apart(self, parameter: Parameter, most: int, within: float) -> list[tuple[Candidate, float]]:
        """The best candidates that share no words with each other, best first, with their costs."""
        chosen: list[tuple[Candidate, float]] = []
        for candidate, cost in sorted(self.costs[parameter], key=lambda pair: pair[1]):
            if cost >= within or len(chosen) == most:
                break
            if candidate.covers and not any(candidate.meets(other) for other, _ in chosen):
                chosen.append((candidate, cost))
        return chosen
