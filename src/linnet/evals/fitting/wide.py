"""How far a model is asked while it is found out what it is to be trusted with: further than any that ships is.

What is never asked can neither be learned nor be found to pay.
"""

from __future__ import annotations

from dataclasses import replace

from linnet.calling.ranking.ranker import EVIDENCE, Doubt, Weights

TYPES = ("string", "number", "array", "options", "boolean")
"""Types of parameters that a model can be asked about."""

SURE = 0.98
"""Probability of a parameter's best candidate over which nothing is asked."""

FURTHER = 2.0
"""Times as far from the margin, and as far ahead, as where a tool is settled by the weights given."""


def widened(weights: Weights) -> Weights:
    """The same weights, but for asking more. What the model says of a type that it is not trusted with counts for
    nothing."""
    doubt = weights.doubt
    further = (FURTHER * doubt.below, FURTHER * doubt.above, FURTHER * doubt.ahead)
    model = {**dict.fromkeys(TYPES, EVIDENCE), **weights.model}
    return replace(weights, model=model, doubt=Doubt(*further, sure=dict.fromkeys(TYPES, SURE)))
