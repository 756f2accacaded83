"""Which replica a request goes to: the one that has computed its prefix, unless that one has more than its share.

Policy on plain values. Each replica has a rank for each key by a hash of both (rendezvous hashing): where a replica
comes or goes, only the keys change hands that it gets or had. No replica takes more than `SPREAD` times the mean of
what runs (bounded load), so one prefix that everybody asks with is computed by as many replicas as it needs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from hashlib import blake2b

AVOIDED = "avoided"
"""The keyword of a call that names the replicas which have failed it."""

SPREAD = 1.25
"""Of the mean load: lower is more even, higher keeps more prefixes where they are."""


def ranked(key: str, replicas: Collection[str]) -> list[str]:
    """The replicas in the order in which this key prefers them; the same for all who ask, in whatever order."""
    return sorted(replicas, key=lambda replica: _weight(key, replica), reverse=True)


def bound(loads: Collection[int], spread: float = SPREAD) -> int:
    """Requests that one replica may have once the next is placed: at least one, and never so few that none fits."""
    return max(1, math.ceil(spread * (sum(loads) + 1) / max(1, len(loads))))


def placed(key: str, loads: Mapping[str, int], avoid: Collection[str] = ()) -> list[str]:
    """All replicas, the best first: those below the bound as the key prefers them, then the others by what they have.

    `loads` are requests that run on each. Those to `avoid`, which have just failed this request, come last.
    """
    most = bound(loads.values())
    order = ranked(key, loads)
    free = [replica for replica in order if loads[replica] < most]
    full = sorted((replica for replica in order if loads[replica] >= most), key=loads.__getitem__)
    return sorted([*free, *full], key=lambda replica: replica in avoid)


def _weight(key: str, replica: str) -> bytes:
    return blake2b(f"{key}\0{replica}".encode(errors="surrogatepass"), digest_size=8).digest()
