"""How sure a share is, and whether two of them differ: exact or well-behaved at small numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) when nothing was tried."""
    if not of:
        return 0.0, 1.0
    share, spread = right / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    # exact at the ends, where rounding would leave a trace
    return max(0.0, centre - half) if right else 0.0, min(1.0, centre + half) if right < of else 1.0


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Two-sided p that `before` and `after`, right or wrong on the same cases, are equally often right.

    The exact test (McNemar 1947 in its binomial form): of the cases on which they differ, each side is
    equally likely to have it; 1 when they differ on none. Raises ValueError for unequal lengths.
    """
    pairs = list(zip(before, after, strict=True))
    gained = sum(b and not a for a, b in pairs)
    differ = sum(a != b for a, b in pairs)
    tail = sum(math.comb(differ, k) for k in range(min(gained, differ - gained) + 1))
    return min(1.0, 2 * tail / (1 << differ))


def middle(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the median, by order statistics and no assumption on how values are spread.

    The values of ranks k and n + 1 - k hold the median between them with probability 1 - 2 P(B < k) where B is
    binomial (n, 1/2); k is the largest for which that is 0.95 or more. Below six values none is, and the ends are
    given. Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values have no median")
    ordered, count = sorted(values), len(values)
    tail, rank = 0.0, 0
    while (tail := tail + math.comb(count, rank) / 2**count) <= 0.025:
        rank += 1
    return ordered[max(0, rank - 1)], ordered[count - max(1, rank)]


def holm(ps: Sequence[float]) -> list[float]:
    """The p of several tests, raised so that the chance of any false alarm among them is what it says (Holm 1979)."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return adjusted
