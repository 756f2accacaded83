"""Which states stay computed for models whose sequences cannot be cut: whole ones, at boundaries, policy only.

The state of a recurrent layer is that of all tokens before it, and cells behind a sliding window are used again: such
a sequence can be gone on from where it ends, and nowhere else. So each node here is a sequence, inner ones too; it
stands on the one that its request started from, and shares that one's cells. What two requests computed separately is
there twice, whatever their tokens are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from linnet.worker.prefix import Node, Prefix, PrefixTree

LEAST = 16
"""Tokens that a boundary must be beyond the state that its request started from: what is shorter fills the bounds."""


@dataclass(eq=False)
class State(Node):
    """A node that has a sequence of its own; children are keyed by theirs, for several may begin with the same token.

    `stable`: many requests begin with it. Any other is where a request has ended, and one is expected to go on.
    """

    stable: bool = False

    def leaf(self) -> Node:
        return self


class Boundaries(PrefixTree):
    """Kept states by key, behind the face of a `PrefixTree`: what is taken is always a whole one."""

    def keep(
        self, key: Hashable, sequence: int, tokens: Sequence[int], on: Prefix | None = None, *, stable: bool = False
    ) -> tuple[list[int], tuple[int, int]]:
        """As `PrefixTree.keep`; nothing is ever to be shared afterwards. `on` is what its request started from.

        An end that nobody else stands on gives way to the one that went on from it.
        """
        root = self._roots.setdefault(key, State(()))
        node, length, _ = self._walk(key, tokens)
        now = next(self._clock)
        if length == len(tokens):
            self._touch(node, now)
            self._forget_empty()
            return [sequence], (-1, 0)
        above = on.node if on else root
        assert isinstance(above, State), "a state stands on states"
        own, gone = tuple(tokens[on.length if on else 0 :]), []
        self.cells += len(own)
        self.leaves += 1
        if above.parent and not (above.stable or above.children or above.pins):
            gone = [self._remove(above)]
            self.cells += len(above.tokens)
            own, above = above.tokens + own, above.parent
        leaf = above.children[sequence] = State(own, above, sequence=sequence, stable=stable, proven=stable)
        self._touch(leaf, now)
        return gone, (-1, 0)

    def evict(self, *, unproven: int = 0) -> tuple[int, int] | None:
        """Give up the least recently used state that no other stands on: `(sequence, 0)`; None if nothing can go."""
        free = [node for node in self._nodes() if node.parent and not (node.children or node.pins)]
        if (state := self._least(free, unproven)) is None:
            return None
        sequence = self._remove(state)
        self._forget_empty()
        return sequence, 0

    def _remove(self, node: Node) -> int:
        assert node.parent is not None, "a root is no state"
        del node.parent.children[node.sequence]
        self.cells -= len(node.tokens)
        self.leaves -= 1
        return node.sequence

    def _walk(self, key: Hashable, tokens: Sequence[int]) -> tuple[Node, int, int]:
        """The longest state that the tokens begin with."""
        root = self._roots.get(key) or State(())
        node, length = max(_beginnings(root, tuple(tokens), 0), key=lambda found: found[1])
        return node, length, len(node.tokens)


def _beginnings(node: Node, tokens: tuple[int, ...], length: int) -> Iterator[tuple[Node, int]]:
    yield node, length
    for child in node.children.values():
        end = length + len(child.tokens)
        if tokens[length:end] == child.tokens:
            yield from _beginnings(child, tokens, end)
