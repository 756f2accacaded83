"""What one tool could take from one text: each parameter's candidates with what the weights say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidates import Candidate, candidates
from linnet.calling.ranking.features import Scene
from linnet.calling.ranking.ranker import Weights, ranked, weigh
from linnet.calling.ranking.tuples import tuples
from linnet.tools import Tool

WORST = 8.0
"""Nats below a parameter's best candidate at which all others are as bad as each other."""

BEYOND = 2.5
"""Nats against a value that stands outside of the text."""

NEAR = 6.5
"""Nats within which a value must be as good as the best to be one of several of an argument."""

_MENTIONS = 48
"""Places in the text that are tried as one argument's values."""


class Sheet:
    """The candidates of all parameters of a tool in one text, and their logits.

    Where the text is a part of what was said, `around` is the whole: what the part does not say of a required
    argument may stand there (`... and its population`).
    """

    def __init__(
        self,
        tool: Tool,
        parameters: Sequence[Parameter],
        reading: Reading,
        weights: Weights,
        around: Reading | None = None,
    ) -> None:
        self.tool, self.parameters, self.reading, self.weights = tool, tuple(parameters), reading, weights
        self.found: dict[Parameter, list[Candidate]] = {p: candidates(p, reading) for p in self.parameters}
        self.logits = self._weighed(reading, self.found)
        if around is not None and around.text.strip() != reading.text.strip():
            self._look_beyond(around)

    def _weighed(
        self, reading: Reading, found: Mapping[Parameter, Sequence[Candidate]]
    ) -> dict[Parameter, list[float]]:
        scene = Scene(self.tool, self.parameters, reading)
        return {p: [weigh(scene.features(p, c), self.weights.features) for c in cs] for p, cs in found.items()}

    def _look_beyond(self, around: Reading) -> None:
        beyond = {
            p: [
                c
                for c in candidates(p, around)
                if c.covers and around.phrase(c.first, c.last) not in self.reading.text
            ]
            for p in self.parameters
            if p.required
        }
        for parameter, logits in self._weighed(around, beyond).items():
            self.found[parameter] += [candidate.away() for candidate in beyond[parameter]]
            self.logits[parameter] += [logit - BEYOND for logit in logits]

    @cached_property
    def ways(self) -> dict[Parameter, Ranked]:
        """Each parameter's candidates with their log-probabilities, best first."""
        return {p: ranked(found, self.logits[p]) for p, found in self.found.items()}

    @cached_property
    def tuples(self) -> Mapping[tuple[int, int], int]:
        """For each number that is told in a group of as many as a call takes, its position there."""
        return tuples(self.reading, self.parameters)

    @cached_property
    def costs(self) -> Mapping[Parameter, list[tuple[Candidate, float]]]:
        """Each parameter's candidates, best first, with the nats that they are worse than the best, at most WORST. An
        example of the description that the request alludes to is no measure for the others: `Drama and Comedy` are
        two values though the description knows only the one."""
        return {p: sorted(self._costs(p), key=lambda pair: pair[1]) for p in self.logits}

    @cached_property
    def mentions(self) -> Mapping[Parameter, list[tuple[Candidate, float]]]:
        """The likely values of each parameter in the text, in its order, with their costs."""
        return {p: self._mentions(costs) for p, costs in self.costs.items()}

    def cost(self, parameter: Parameter, candidate: Candidate) -> float:
        """The nats that this candidate is worse than the parameter's best."""
        return self._by_candidate[parameter].get(id(candidate), WORST)

    @cached_property
    def _by_candidate(self) -> Mapping[Parameter, Mapping[int, float]]:
        return {p: {id(c): cost for c, cost in costs} for p, costs in self.costs.items()}

    def _mentions(self, costs: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
        near = [(c, cost) for c, cost in costs if c.covers and cost < NEAR]
        return sorted(near[:_MENTIONS], key=lambda pair: (pair[0].first, pair[0].last))

    def _costs(self, parameter: Parameter) -> Iterator[tuple[Candidate, float]]:
        best = self._best(parameter)
        for candidate, logit in zip(self.found[parameter], self.logits[parameter], strict=True):
            yield candidate, max(0.0, min(WORST, best - logit))

    def _best(self, parameter: Parameter) -> float:
        pairs = list(zip(self.found[parameter], self.logits[parameter], strict=True))
        return max(
            (logit for c, logit in pairs if c.source != "example"), default=max(self.logits[parameter], default=0.0)
        )
