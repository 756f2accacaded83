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
