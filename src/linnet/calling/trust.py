"""What a model is believed beside evidence, where it has a trust of its own.

The weights that ship weigh evidence against the default model as it is. An adapter's answers deserve another weight:
it is found on requests that the adapter has not learned from, and kept in its profile. Hides which sections of the
weights hang on the model, and that numbers are worth something beside those weights only that they were found with.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from linnet.calling.ranking.ranker import Belief, Doubt, Weights
from linnet.messages import STRICT

Name = Annotated[str, Field(max_length=40)]
Weight = Annotated[float, Field(allow_inf_nan=False)]
Reach = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


def _finite(belief: Belief) -> Belief:
    if not all(map(math.isfinite, belief)):
        raise ValueError("a weight is not finite")
    return belief


@dataclass(frozen=True, config=STRICT)
class Trust:
    """The sections of `Weights` that hang on the model: `model` by type of parameter, and for `tool`; `relevance`;
    of `Doubt` the reaches `below`, `above` and `ahead`, and `sure` by type.

    `beside` marks the weights that it was found with. Found were they on `requests`, and of so many `decisions` that
    were held out from finding, `right` came out right with it, and `shipped` without it.
    """

    model: Annotated[dict[Name, Annotated[Belief, AfterValidator(_finite)]], Field(max_length=16)]
    relevance: Annotated[dict[Name, Weight], Field(max_length=16)]
    below: Reach
    above: Reach
    ahead: Reach
    sure: Annotated[dict[Name, Annotated[float, Field(ge=0.0, le=1.0)]], Field(max_length=16)]
    beside: Annotated[str, Field(max_length=64)] = ""
    requests: Count = 0
    decisions: Count = 0
    right: Count = 0
    shipped: Count = 0

    @classmethod
    def of(cls, weights: Weights) -> Trust:
        """The trust that these weights have. Raises ValueError for weights by which everything is asked."""
        doubt = weights.doubt
        reaches = (doubt.below, doubt.above, doubt.ahead)
        return cls(dict(weights.model), dict(weights.relevance), *reaches, dict(doubt.sure), mark())

    def over(self, weights: Weights) -> Weights:
        """These weights with this trust in the place of theirs."""
        doubt = Doubt(self.below, self.above, self.ahead, self.sure)
        return replace(weights, model=self.model, relevance=self.relevance, doubt=doubt)

    @property
    def stale(self) -> bool:
        """Whether other weights ship now than it was found with."""
        return self.beside != mark()

    def changes(self, weights: Weights) -> dict[str, tuple[Any, Any]]:
        """By a name for people, the numbers that differ: `(in the weights, here)`."""
        before, after = _flat(weights), _flat(self.over(weights))
        return {
            name: (before.get(name), after.get(name))
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name)
        }


def _flat(weights: Weights) -> Mapping[str, Any]:
    doubt = weights.doubt
    return {
        **{f"{kind}: evidence, model, absent": list(belief) for kind, belief in weights.model.items()},
        **{f"call or none: {name}": weight for name, weight in weights.relevance.items()},
        **{f"asked {name} the margin": reach for name, reach in (("below", doubt.below), ("above", doubt.above))},
        "asked ahead of the second": doubt.ahead,
        **{f"{kind}: asked below a probability of": sure for kind, sure in doubt.sure.items()},
    }


@lru_cache(maxsize=1)
def mark() -> str:
    """Stands for the weights that ship."""
    shipped = files("linnet.calling.ranking").joinpath("weights.json").read_bytes()
    return hashlib.sha256(shipped).hexdigest()[:16]
