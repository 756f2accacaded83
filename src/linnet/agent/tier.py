"""How large a model a job wants, and which of those at hand it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from linnet.errors import RequestError
from linnet.requests import Model

Tier = Literal["small", "medium", "large"]
"""Up to about half a billion parameters, up to about three, and more."""

Models = Model | Mapping[Tier, Model]
"""One model for every job, or one for each tier."""

TIERS: tuple[Tier, ...] = get_args(Tier)


def chosen(models: Models, tier: Tier, job: str) -> tuple[Model, tuple[str, ...]]:
    """The model for a job of this tier: its own, else the next larger one, else the largest. What is not as the job
    wants it is told. Raises RequestError where there is none."""
    if not isinstance(models, Mapping):
        return models, ()
    at = TIERS.index(tier)
    order = (*TIERS[at:], *reversed(TIERS[:at]))
    found = next((each for each in order if each in models), None)
    if found is None:
        raise RequestError(f"there is no model for {job!r}", hint=f"Give one for a tier: {', '.join(TIERS)}.")
    told = () if found == tier else (f"{job} wants a {tier} model: the {found} one was used",)
    return models[found], told
