"""What a server has told of the likelihood of given texts, and which numbers are believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from linnet.errors import LinnetError, RemoteInvalid
from linnet.requests import Usage
from linnet.runtime.errand import Ask

Shape = TypeVar("Shape", bound=BaseModel)

_ROUNDING = 1e-3
"""Nats by which a certain token may seem to be more than certain."""

_LEAST = -1e6
"""Nats below which no model comes, and far from where a sum of them leaves the numbers."""


@dataclass(frozen=True)
class Told:
    """Of each text its natural-log likelihood and its tokens; what the server has read for all of them."""

    scores: tuple[tuple[float, int], ...]
    usage: Usage


class Way(Protocol):
    """One way to be told. `name` says it in words."""

    @property
    def name(self) -> str: ...

    def scored(self, ask: Ask, prompt: str, texts: Sequence[str]) -> Told:
        """Each text as what follows the prompt. Raises a RemoteError."""


def told_by(way: Way, ask: Ask, prompt: str, texts: Sequence[str]) -> Told:
    """As `Way.scored`. Raises RemoteInvalid also for an answer that nobody thought of."""
    try:
        return way.scored(ask, prompt, texts)
    except LinnetError:
        raise
    except Exception as error:
        raise RemoteInvalid(f"the server's answer cannot be read ({type(error).__name__})") from error


def read(shape: type[Shape], body: bytes) -> Shape:
    """Raises RemoteInvalid, without the data."""
    try:
        return shape.model_validate_json(body)
    except ValidationError:
        raise RemoteInvalid(f"the server's answer is none with log-probabilities ({len(body):,} bytes)") from None


def summed(logprobs: Sequence[float | None]) -> float:
    """Raises RemoteInvalid where one is no log-probability."""
    for one in logprobs:
        if one is None or not _LEAST <= one <= _ROUNDING:
            raise RemoteInvalid(f"the server tells {one} as a log-probability")
    return math.fsum(one for one in logprobs if one is not None)
