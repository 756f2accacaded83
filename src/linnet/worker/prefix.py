"""Which prefixes stay computed after their requests have ended: a radix tree over token ids, policy only.

A leaf is a sequence of the KV cache; an edge above several leaves is cells that their sequences share. What is not
used gives way leaf by leaf, so that the beginning which many requests share outlives what each of them added. A node
is proven once a request has begun with it, or is said to be what many will begin with.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any


@dataclass(eq=False)
class Node:
    """The end of an edge: the tokens on it, what goes on from it, and how many running requests stand on it.

    `sequence` is that of a leaf, -1 for all others; `used` orders nodes by their last use. Its tokens stand in cells
    (`resident`), or as `state` outside of them (`worker/parked.py`), or in both.
    """

    tokens: tuple[int, ...]
    parent: Node | None = None
    children: dict[int, Node] = field(default_factory=dict)
    sequence: int = -1
    used: int = 0
    pins: int = 0
    proven: bool = False
    resident: bool = True
    state: Any = None

    @property
    def depth(self) -> int:
        """Tokens from the root to the end of this edge."""
        return sum(len(node.tokens) for node in self.path())

    def path(self) -> Iterator[Node]:
        """This node and those above it, up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def leaf(self) -> Node:
        """Any leaf below this node, which stands in cells; all of them hold its tokens."""
        node = self
        while node.sequence < 0:
            node = next(child for child in node.children.values() if child.resident)
        return node


@dataclass(frozen=True)
class Prefix:
    """What a request shares: the first `length` positions of `sequence`. `node` is where they end."""

    length: int
    node: Node

    @property
    def sequence(self) -> int:
        """One that holds them now: others may have given way since."""
        return self.node.leaf().sequence


class PrefixTree:
    """Finished sequences, by key: requests of different keys never share, whatever their tokens are.

    The tree decides and counts; whoever holds it copies and cuts the sequences that it names.
    """

    def __init__(self) -> None:
        self._roots: dict[Hashable, Node] = {}
        self._clock = count(1)
        self.cells = 0
        """Tokens that stand in cells; those that several sequences share count once."""
        self.leaves = 0
        """Sequences held."""
        self.pinned = 0
        """Tokens that running requests stand on; they cannot give way."""

    @property
    def unproven(self) -> int:
        """Tokens in cells that nobody has begun with yet."""
        return sum(len(node.tokens) for node in self._nodes() if node.resident and not node.proven)

    def prove(self, key: Hashable, tokens: Sequence[int]) -> None:
        """Requests are expected to begin with these tokens, as far as they are held."""
        node, length, inside = self._walk(key, tokens)
        if length and inside < len(node.tokens):
            node = self._split(node, inside)
        for above in node.path():
            above.proven = True

    def longest(self, key: Hashable, tokens: Sequence[int]) -> int:
        """How many of the first tokens are held."""
        return self._walk(key, tokens)[1]

    def take(self, key: Hashable, tokens: Sequence[int]) -> Prefix | None:
        """The longest held beginning of `tokens`, to be given back with `release`; None if there is none."""
        node, length, inside = self._walk(key, tokens)
        if not length:
            return None
        if inside < len(node.tokens):
            node = self._split(node, inside)
        now = next(self._clock)
        for above in node.path():
            self.pinned += 0 if above.pins else len(above.tokens)
            above.pins += 1
            above.used, above.proven = now, True
        return Prefix(length, node)

    def release(self, prefix: Prefix) -> None:
        """A request no longer stands on it."""
        for node in prefix.node.path():
            self._unpin(node)

    def keep(
        self, key: Hashable, sequence: int, tokens: Sequence[int], on: Prefix | None = None, *, stable: bool = False
    ) -> tuple[list[int], tuple[int, int]]:
        """Keep a finished sequence in its cells: `(sequences that it makes superfluous, (holder, length))`.

        The first may be the sequence itself. Another sequence, `holder`, has the first `length` tokens as well
        (-1 and 0 if none has): they count once, so they are to be shared, but for those of `on`, the prefix that it
        started from and shares already. That many requests begin with it (`stable`) is seen here without being told.
        """
        if not tokens:
            return [sequence], (-1, 0)
        self._roots.setdefault(key, Node(()))
        node, length, inside = self._walk(key, tokens)
        holder, held = self._standing(node, length)
        now = next(self._clock)
        if held == len(tokens):
            self._touch(node, now)
            return [sequence], (-1, 0)
        shared = (holder.leaf().sequence, held) if held > (on.length if on else 0) else (-1, 0)
        if inside < len(node.tokens):
            node = self._split(node, inside)
        leaf = node
        if length < len(tokens):
            leaf = node.children[tokens[length]] = Node(tuple(tokens[length:]), node, resident=False)
        gone = self._settle(leaf, sequence)
        self._touch(leaf, now)
        return gone, shared

    def evict(self, *, unproven: int = 0) -> tuple[int, int] | None:
        """Give up the least recently used leaf: `(sequence, positions of it to keep)`; None if nothing can go.

        Positions are kept where the sequence is the last to hold a beginning that was shared before. With `unproven`
        it is one of those, of which the last so many stay.
        """
        leaf = self.least(unproven)
        if leaf is None:
            return None
        above, sequence = leaf.parent, leaf.sequence
        assert above is not None, "a root is no leaf"
        leaf.sequence, leaf.resident = -1, False
        if leaf.state is None:
            del above.children[leaf.tokens[0]]
        self.cells -= len(leaf.tokens)
        if above.parent is None or any(child.resident for child in above.children.values()):
            self.leaves -= 1
            self._forget_empty()
            return sequence, 0
        above.sequence = sequence
        return sequence, above.depth

    def least(self, unproven: int = 0) -> Node | None:
        """The leaf that `evict` gives up next."""
        return self._least([node for node in self._nodes() if node.sequence >= 0 and not node.pins], unproven)

    # --- the tree --------------------------------------------------------------------------------

    def _least(self, nodes: Sequence[Node], unproven: int) -> Node | None:
        """The least recently used of these; of the unproven ones, if there are more than so many."""
        candidates = [node for node in nodes if not node.proven] if unproven else nodes
        return min(candidates, key=lambda node: node.used) if len(candidates) > unproven else None

    def _walk(self, key: Hashable, tokens: Sequence[int]) -> tuple[Node, int, int]:
        """The node that the tokens lead to, how many of them are held, and how many of those on its edge."""
        node = self._roots.get(key) or Node(())
        length = inside = 0
        while length < len(tokens) and (below := node.children.get(tokens[length])):
            inside = common(below.tokens, tokens[length : length + len(below.tokens)])
            node, length = below, length + inside
            if inside < len(below.tokens):
                return node, length, inside
        return node, length, len(node.tokens)

    def _standing(self, node: Node, length: int) -> tuple[Node, int]:
        """The last of a node and those above it that stands in cells, and how many of the `length` tokens it ends."""
        for above in node.path():
            if above.resident:
                return above, length if above is node else above.depth
        raise AssertionError("a root is never away")

    def _settle(self, leaf: Node, sequence: int) -> list[int]:
        """A sequence holds this node and all above it from now on: those that it makes superfluous."""
        gone: list[int] = []
        for node in leaf.path():
            if node.resident:
                if node.sequence >= 0:  # a leaf that this one goes on from
                    gone.append(node.sequence)
                    node.sequence = -1
                break
            node.resident = True
            self.cells += len(node.tokens)
        leaf.sequence = sequence
        self.leaves += 1 - len(gone)
        return gone

    def _unpin(self, node: Node) -> None:
        node.pins -= 1
        self.pinned -= 0 if node.pins else len(node.tokens)

    def _split(self, node: Node, at: int) -> Node:
        """A node in the middle of an edge; whoever stands on the end of it stands on its beginning too."""
        upper = replace(node, tokens=node.tokens[:at], children={}, sequence=-1)
        assert node.parent is not None, "the root has no edge"
        node.parent.children[upper.tokens[0]] = upper
        node.tokens, node.parent = node.tokens[at:], upper
        upper.children[node.tokens[0]] = node
        return upper

    def _touch(self, node: Node, now: int) -> None:
        for above in node.path():
            above.used = now

    def _nodes(self) -> Iterator[Node]:
        waiting = list(self._roots.values())
        while waiting:
            node = waiting.pop()
            waiting += node.children.values()
            yield node

    def _forget_empty(self) -> None:
        """Keys come from outside and are never used up, so roots without anything below them go."""
        self._roots = {key: root for key, root in self._roots.items() if root.children}


def common(kept: Sequence[int], tokens: Sequence[int]) -> int:
    """How many of the first tokens are the same."""
    for i, (a, b) in enumerate(zip(kept, tokens, strict=False)):
        if a != b:
            return i
    return min(len(kept), len(tokens))
