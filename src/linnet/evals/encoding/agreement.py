"""Whether two files of one model say the same: greedy answers to the same prompts, token for token."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

from linnet.messages import Message
from linnet.models.encoding import Agreement
from linnet.requests import Generate, Piece
from linnet.runtime.local import open_local

TOKENS = 32
"""The first ones of each answer, which are compared."""

_CONTEXT = 1_024

Answers = tuple[tuple[int, ...], ...]
"""Token ids of each answer."""


def answers(path: Path, prompts: Sequence[str], threads: int, progress: Callable[[float], None]) -> Answers:
    """What the model says to each prompt: greedily, and one prompt at a time, since a neighbour in the batch moves
    the rounding. Raises what `open_local` and a Model raise."""
    model = open_local(str(path.absolute()), context=_CONTEXT, threads=threads, encoding="original")
    try:
        found = []
        for number, prompt in enumerate(prompts):
            progress(number / len(prompts))
            events = model.stream(Generate((Message("user", prompt),), max_tokens=TOKENS))
            found.append(tuple(id for event in events if isinstance(event, Piece) for id in event.tokens))
        return tuple(found)
    finally:
        model.close()


def agreement(between: str, first: Answers, second: Answers) -> Agreement:
    """Answers that are the same count with all `TOKENS`, also where they end before."""
    same = [one == other for one, other in zip(first, second, strict=True)]
    common = [
        TOKENS if alike else sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        for alike, one, other in zip(same, first, second, strict=True)
    ]
    return Agreement(between, len(same), TOKENS, statistics.fmean(same), statistics.fmean(common))
