"""Kept prefixes outside of the KV cache: which are parked, in how much memory, and when; policy only.

Attention passes over all cells up to the highest in use, masked ones too. So a prefix that no running request stands
on is better kept as bytes, and put back into cells when a request begins with it. Each edge of the tree is parked by
itself: what many share is there once, whatever each of them added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linnet.limits import LIMITS
from linnet.worker.prefix import Node, Prefix, PrefixTree

STRIDE = 256
"""Cells: the engine attends over all up to the highest in use, in so large strides (`llama_kv_cache::get_n_kv`)."""


_DEAR = 100
"""Tokens that are put back in the time in which one is computed (docs/worker.md): all that was saved is put back."""

_LOOSE = 2
"""How many times what a node needs may be in memory for it: saving a long one again for a few tokens is no gain."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """What the cache held of positions `start` to `end`. A node may need a part of it only, where it was split."""

    start: int
    end: int
    data: Any
    """Bytes, as an array or anything else that has `nbytes`."""


def passed_over(needed: int, unused: int) -> bool:
    """Whether attention is to look at more cells for the sake of some that nobody uses."""
    return strides(needed + unused) > strides(needed)


def strides(cells: int) -> int:
    return -(-cells // STRIDE)


class Parked(PrefixTree):
    """A tree whose nodes may stand in cells, in memory, or in both; those above one in cells stand in cells too.

    `most_bytes` and `most` bound what is in memory: bytes, and edges. What was used longest ago goes first.
    """

    def __init__(self, most_bytes: int = LIMITS.parked_bytes, most: int = LIMITS.parked_prefixes) -> None:
        super().__init__()
        self.most_bytes, self._most = most_bytes, most

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return sum(_size(state) for state in {node.state for node in self._nodes() if node.state})

    def missing(self, prefix: Prefix) -> list[Node]:
        """The nodes of a prefix that stand in no cells, the first tokens first."""
        return [node for node in prefix.node.path() if not node.resident][::-1]

    def worth(self, node: Node) -> bool:
        """Whether a parked node comes back sooner than it is computed: what all prompts begin with may not."""
        return node.state is not None and node.state.end - node.state.start <= _DEAR * len(node.tokens)

    def unsaved(self) -> list[Node]:
        """The nodes that stand in cells only, or in memory with far more than they need; last used first."""
        found = [node for node in self._nodes() if node.resident and node.parent and not _tight(node)]
        return sorted(found, key=_order, reverse=True)

    def store(self, node: Node, data: Any) -> bool:
        """Keep what was saved of a node; False where it is too much, beside what was used later."""
        end = node.depth
        node.state = Stretch(end - len(node.tokens), end, data)
        self._shrink()
        return node.state is not None

    def revive(self, node: Node, sequence: int) -> list[int]:
        """A node below one in cells stands in cells again, at the end of `sequence`: those made superfluous by it."""
        return [other for other in self._settle(node, sequence) if other != sequence]

    def shorten(self, prefix: Prefix, to: Node) -> Prefix | None:
        """Stand on `to`, which is above the end of a prefix, in its place; None where that is nothing."""
        if to.parent is None:
            self.release(prefix)
            return None
        for node in prefix.node.path():
            if node is to:
                break
            self._unpin(node)
        return Prefix(to.depth, to)

    def _shrink(self) -> None:
        while True:
            held = [node for node in self._nodes() if node.state]
            if len(held) <= self._most and self.bytes <= self.most_bytes:
                return
            node = min((node for node in held if node.resident or not node.pins), key=_order, default=None)
            if node is None:
                return
            node.state = None
            if not node.resident:
                self._remove(node)

    def _remove(self, node: Node) -> None:
        """Forget a node that stands nowhere, and what goes on from it."""
        assert node.parent is not None, "a root has no state"
        del node.parent.children[node.tokens[0]]
        self._forget_empty()


def _size(state: Stretch) -> int:
    return int(state.data.nbytes)


def _tight(node: Node) -> bool:
    return node.state is not None and node.state.end - node.state.start <= _LOOSE * len(node.tokens)


def _order(node: Node) -> tuple[int, int]:
    """By last use, and of a path, which was used at once, its end first."""
    return node.used, -node.depth
