"""What of a conversation fits the window: the newest messages, whole, and a list of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from linnet.messages import Message

Count = Callable[[tuple[Message, ...]], int]


def fit(
    history: Sequence[Message], request: Message, budget: int, count: Count
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """`(messages, dropped)`: the request with as much of the newest history before it as `budget` tokens hold.

    `count` gives the tokens of a conversation as the model sees it. Each dropped message is told by its role
    and its beginning.
    """
    kept: tuple[Message, ...] = (request,)
    for i in range(len(history) - 1, -1, -1):
        longer = (history[i], *kept)
        if count(longer) > budget:
            return kept, tuple(f"{m.role}: {m.content[:60]}" for m in history[: i + 1])
        kept = longer
    return kept, ()
