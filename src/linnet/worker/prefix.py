"""Which prefixes stay computed after their request has ended: policy over token ids and sequence numbers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class PrefixCache:
    """Finished sequences, kept whole until their room is wanted; least recently used goes first."""

    def __init__(self, entries: int) -> None:
        self._limit = entries
        self._kept: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    @property
    def cells(self) -> int:
        """Tokens held."""
        return sum(map(len, self._kept.values()))

    def longest(self, tokens: Sequence[int]) -> tuple[int, int]:
        """`(sequence, length)` of the kept sequence that shares most with the start of `tokens`; (-1, 0) if none."""
        best = max(((_common(kept, tokens), seq) for seq, kept in self._kept.items()), default=(0, -1))
        length, sequence = best
        if not length:
            return -1, 0
        self._kept.move_to_end(sequence)
        return sequence, length

    def keep(self, sequence: int, tokens: Sequence[int]) -> list[int]:
        """Keep a finished sequence; returns the sequences that had to give way, itself included if useless."""
        if not tokens or any(kept[: len(tokens)] == tuple(tokens) for kept in self._kept.values()):
            return [sequence]
        covered = [seq for seq, kept in self._kept.items() if tuple(tokens[: len(kept)]) == kept]
        for seq in covered:
            del self._kept[seq]
        self._kept[sequence] = tuple(tokens)
        while len(self._kept) > self._limit:
            covered.append(self.evict())
        return covered

    def evict(self) -> int:
        """Give up the least recently used sequence and return it; -1 when nothing is kept."""
        return self._kept.popitem(last=False)[0] if self._kept else -1


def _common(kept: Sequence[int], tokens: Sequence[int]) -> int:
    for i, (a, b) in enumerate(zip(kept, tokens, strict=False)):
        if a != b:
            return i
    return min(len(kept), len(tokens))
