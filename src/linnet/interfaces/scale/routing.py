"""Which replica a request goes to: the one that has computed its prefix, unless that one has more than its share.

Policy on plain values. Each replica has a rank for each key by a hash of both (rendezvous hashing): where a replica
comes or goes, only the keys change hands that it gets or had. No replica takes more than `SPREAD` times the mean of
what runs (bounded load), so one prefix that everybody asks with is computed by as many replicas as it needs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b

from linnet.limits import LIMITS

AVOIDED = "avoided"
"""The keyword of a call that names the replicas which have failed it."""

SPREAD = 1.25
"""Of the mean load: lower is more even, higher keeps more prefixes where they are."""


def ranked(key: str, replicas: Collection[str]) -> list[str]:
    """The replicas in the order in which this key prefers them; the same for all who ask, in whatever order."""
    return sorted(replicas, key=lambda replica: _weight(key, replica), reverse=True)


class Orders:
    """What `ranked` says, remembered for the keys that were asked with last: with many replicas their hashes are most
    of what placing a request costs. Other replicas have other orders: then all is forgotten."""

    def __init__(self) -> None:
        self._replicas: frozenset[str] = frozenset()
        self._kept: dict[str, list[str]] = {}

    def ranked(self, key: str, replicas: Collection[str]) -> list[str]:
        """Not to be changed by who asks."""
        these = frozenset(replicas)
        if these != self._replicas:
            self._replicas, self._kept = these, {}
        order = self._kept.pop(key, None) or ranked(key, these)
        self._kept[key] = order
        if len(self._kept) > LIMITS.replica_orders:
            del self._kept[next(iter(self._kept))]
        return order


def bound(loads: Collection[int], spread: float = SPREAD) -> int:
    """Requests that one replica may have once the next is placed: at least one, and never so few that none fits."""
    return max(1, math.ceil(spread * (sum(loads) + 1) / max(1, len(loads))))


def placed(
    key: str,
    loads: Mapping[str, int],
    avoid: Collection[str] = (),
    rank: Callable[[str, Collection[str]], list[str]] = ranked,
) -> list[str]:
    """All replicas, the best first: those below the bound as the key prefers them, then the others by what they have.

    `loads` are requests that run on each. Those to `avoid`, which have just failed this request, come last. `rank`
    is `ranked`, or remembers what that says.
    """
    most = bound(loads.values())
    order = rank(key, loads)
    free = [replica for replica in order if loads[replica] < most]
    full = sorted((replica for replica in order if loads[replica] >= most), key=loads.__getitem__)
    return sorted([*free, *full], key=lambda replica: replica in avoid) if avoid else [*free, *full]


class Promised:
    """Requests that were placed and are on their way: what runs does not count them yet, and a burst is placed at
    once."""

    def __init__(self, seconds: float = 2.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, now
        self._made: dict[str, tuple[str, float]] = {}
        self._orders = Orders()

    def place(self, request: str, key: str, running: Mapping[str, int], avoid: Collection[str] = ()) -> list[str]:
        """As `placed`; the first of it is promised to this request, for a while. A request has one promise."""
        self.kept(request)
        late = self._now() - self._seconds
        self._made = {one: made for one, made in self._made.items() if made[1] > late}
        loads = dict(running)
        for replica, _ in self._made.values():
            if replica in loads:
                loads[replica] += 1
        order = placed(key, loads, avoid, self._orders.ranked)
        if order:
            self._made[request] = (order[0], self._now())
        return order

    def kept(self, request: str) -> None:
        """It has arrived."""
        self._made.pop(request, None)


def _weight(key: str, replica: str) -> bytes:
    return blake2b(f"{key}\0{replica}".encode(errors="surrogatepass"), digest_size=8).digest()
