"""Which of several servers is asked next: numbers in, a place out. Also what `benchmarks/scale.py` simulates with."""

from __future__ import annotations

from collections.abc import Sequence


def least_outstanding(outstanding: Sequence[int], turn: int = 0) -> int:
    """The place of the server with the fewest requests that have not ended; of several, the next one from `turn` on,
    so that equals are asked in turns. Raises ValueError where there is none."""
    fewest = min(outstanding)
    try:
        return outstanding.index(fewest, turn % len(outstanding))
    except ValueError:
        return outstanding.index(fewest)
