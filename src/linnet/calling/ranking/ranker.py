"""How likely each candidate is to be the argument, by the fitted weights of its features.

A multinomial logit: the weights are those under which the right values of the training cases were most
likely, and the probabilities of one parameter's candidates add up to 1. `weights.json` is made by
`python -m linnet.evals.fitting`; what it was fitted on is told in docs/calling.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.features import Features

SURE = 0.8
"""Probability of a parameter's best candidate over which no model is asked about it, unless `Doubt` has another."""


class Belief(NamedTuple):
    """How much a nat counts that evidence says, and one of the model's; `absent` how much those count that it says
    against all candidates of a parameter together, for leaving it out. A model that was not trained to tell a value
    from none says nothing by those."""

    evidence: float
    model: float
    absent: float = 0.0


EVIDENCE = Belief(1.0, 0.0)
"""Evidence as it is, and nothing of the model's."""


@dataclass(frozen=True)
class Doubt:
    """Log-odds by which evidence must be `below` or `above` the margin, and nats by which the best tool must be
    `ahead` of the second, for the model not to be asked. Nothing is ever so far apart unless numbers were fitted.
    By type of parameter, it is not asked either where the best candidate has at least the probability `sure`."""

    below: float = math.inf
    above: float = math.inf
    ahead: float = math.inf
    sure: Mapping[str, float] = field(default_factory=dict)

    def settles(self, kind: str, nats: float) -> bool:
        """Whether a parameter of this type needs no model, its best candidate having this log-probability."""
        return math.exp(nats) >= self.sure.get(kind, SURE)


@dataclass(frozen=True)
class Weights:
    """`features` by name, in nats; `model` says by type of parameter, and for `tool`, how much what evidence says
    counts beside the model's judgement, and how much that judgement; `counts` are those of `several`, `tools` of
    `portions`. Of `relevance` are `choice` (which tool), `evident` (whether any, by evidence) and `relevance`
    (whether any, with what the model says)."""

    features: Mapping[str, float]
    model: Mapping[str, Belief]
    counts: Mapping[str, float]
    tools: Mapping[str, float]
    relevance: Mapping[str, float]
    choice: Mapping[str, float] = field(default_factory=dict)
    evident: Mapping[str, float] = field(default_factory=dict)
    doubt: Doubt = Doubt()

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Weights:
        """From the JSON form. Raises LookupError, TypeError or ValueError for what is none."""
        model = {kind: Belief(*numbers) for kind, numbers in sections["model"].items()}
        return cls(**{**sections, "model": model, "doubt": Doubt(**sections.get("doubt", {}))})


def weigh(features: Features, weights: Mapping[str, float]) -> float:
    """The weighted sum of features, the weight called `bias` included; unknown features count nothing."""
    return weights.get("bias", 0.0) + sum(weights.get(name, 0.0) * value for name, value in features.items())


_held: ContextVar[Weights | None] = ContextVar("held", default=None)


def fitted() -> Weights:
    """The weights in force: those that ship with Linnet, unless `weighing` says otherwise."""
    return _held.get() or _shipped()


@contextmanager
def weighing(weights: Weights) -> Iterator[None]:
    """Inside, and in this thread, tools are chosen and arguments filled by these weights."""
    before = _held.set(weights)
    try:
        yield
    finally:
        _held.reset(before)


@lru_cache(maxsize=1)
def _shipped() -> Weights:
    return Weights.of(json.loads(files("linnet.calling.ranking").joinpath("weights.json").read_text("utf-8")))


def ranked(found: Sequence[Candidate], logits: Sequence[float]) -> Ranked:
    """Candidates with their log-probabilities, best first."""
    if not logits:
        return ()
    top = max(logits)
    total = top + math.log(sum(math.exp(logit - top) for logit in logits))
    pairs = ((candidate, logit - total) for candidate, logit in zip(found, logits, strict=True))
    return sorted(pairs, key=lambda pair: -pair[1])
