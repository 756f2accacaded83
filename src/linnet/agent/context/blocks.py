"""Where the window of a growing conversation begins: policy only, on numbers of tokens.

Nothing is remembered between turns. The conversation is gone through from its beginning as it was held, so that
the same beginning of it always leads to the same places, whoever asks and after whatever restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from linnet.messages import Message


def exchanges(messages: Sequence[Message]) -> list[tuple[Message, ...]]:
    """The messages in groups that stand or fall together: a user's, and all that followed from it.

    A call and its result are in one group, and a conversation cut between groups still begins with a user.
    """
    starts = [i for i, message in enumerate(messages) if message.role == "user" or i == 0]
    return [tuple(messages[a:b]) for a, b in pairwise([*starts, len(messages)])]


def begins(sizes: Sequence[Sequence[int]], most: int, least: int, whole: int = 0) -> list[int]:
    """The exchanges at which the window has begun so far, in order; at the last of them it begins now.

    `sizes` are the tokens of each message of each exchange. Whenever those in the window are over `most`, the
    oldest exchanges leave until at most `least` are in it; the last `whole` before the newest stay if they fit
    `most`, and the newest itself stays in any case.
    """
    found, first, held = [0], 0, 0
    for newest, exchange in enumerate(sizes):
        for size in exchange:
            held += size
            if held <= most:
                continue
            while first < newest and held > (most if newest - first <= whole else least):
                # the newest has not been gone through to its end, but it does not leave
                held -= sum(sizes[first])
                first += 1
            if first != found[-1]:
                found.append(first)
    return found
