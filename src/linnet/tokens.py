"""What a token is, and how likely it was: the values in which a model's vocabulary is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS
from linnet.messages import STRICT


@dataclass(frozen=True, config=STRICT)
class Token:
    """One of a model's vocabulary: its id, and its bytes in hexadecimal, for they may be part of a character.

    A `control` token has a text, and is shown in no answer.
    """

    id: int
    hex: Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]
    control: bool = False

    @property
    def bytes(self) -> bytes:
        return bytes.fromhex(self.hex)

    @property
    def shown(self) -> int:
        """Bytes that it adds to an answer."""
        return 0 if self.control else len(self.hex) // 2


@dataclass(frozen=True, config=STRICT)
class Odds:
    """A token of an answer, the natural logarithm of its probability, and the likeliest of all that could have stood
    there, the best first.

    It is the model's probability before temperature, top-k and top-p, among the tokens that the constraint allowed: a
    token that was forced has 0.0, which is certain, and nothing beside it.
    """

    token: Token
    logprob: float
    likeliest: Annotated[tuple[tuple[Token, float], ...], Field(max_length=LIMITS.alternatives)] = ()
