"""Logits -> the odds of a token among those that were allowed, as a caller is told them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linnet.tokens import Odds, Token
from linnet.worker.llama import Llama
from linnet.worker.sample import normaliser

_LEAST = -9_999.0
"""What a logarithm of nothing is told as, for JSON has no infinity; OpenAI's protocol has the same number."""


def odds(
    llama: Llama, logits: NDArray[np.float32], token: int, most: int, allowed: NDArray[np.intp] | None = None
) -> Odds:
    """Of `token`, with at most `most` of the likeliest of `allowed` (ascending ids; all when None)."""
    scores = logits if allowed is None else logits[allowed]
    sum_of_all = normaliser(scores)

    def of(one: int) -> float:
        return max(_LEAST, min(0.0, float(logits[one]) - sum_of_all))

    return Odds(
        spelled(llama, token),
        of(token),
        tuple((spelled(llama, one), of(one)) for one in _best(scores, most, allowed)),
    )


def certain(llama: Llama, token: int) -> Odds:
    """Of a token that nothing else could stand for."""
    return Odds(spelled(llama, token), 0.0)


def spelled(llama: Llama, token: int) -> Token:
    return Token(token, llama.piece(token).hex(), token in llama.vocabulary.control_ids)


def _best(scores: NDArray[np.float32], most: int, allowed: NDArray[np.intp] | None) -> list[int]:
    """Their ids, the likeliest first, and of equals the smallest."""
    some = np.argpartition(-scores, most)[:most] if most < len(scores) else np.arange(len(scores))
    places = np.sort(some)
    places = places[np.argsort(-scores[places], kind="stable")]
    return [int(one) for one in (places if allowed is None else allowed[places])]
