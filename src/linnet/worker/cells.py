"""The KV cache as requests see it: sequences to be lent, prefixes to begin with, room to be made.

Hidden here: which kept prefix gives way, which is parked outside of the cache and put back, and what is done to the
cells for it. Nothing here knows of requests; the engine says how many cells they have, and will have.
"""

from __future__ import annotations

from linnet.limits import LIMITS
from linnet.worker.boundaries import Boundaries
from linnet.worker.llama import Llama
from linnet.worker.parked import Parked, passed_over
from linnet.worker.prefix import Node, Prefix, PrefixTree

KEPT = LIMITS.sequences

CHATS = 4
"""Answers that somebody may go on from next, whatever their cells cost others."""

Key = tuple[str, str]
"""Owner and adapter: what others have computed is never shared."""


class Cells:
    """Sequences and cells of one context; `free` are the sequences that nobody has."""

    def __init__(self, llama: Llama, sequences: int) -> None:
        self._llama = llama
        self.free = list(range(sequences))
        self.tree: PrefixTree = Parked() if llama.can_cut else Boundaries()
        self._half, self._eighth = llama.context // 2, llama.context // 8
        self._peak = 0  # no cell at or above it has been used since all were free
        self._untidy = False  # something was kept since `tidy`

    def lend(self, count: int) -> list[int]:
        """Empty sequences, fewer where there are not so many."""
        return [self.free.pop() for _ in range(min(count, len(self.free)))]

    def drop(self, *sequences: int) -> None:
        for sequence in sequences:
            self._llama.cut(sequence)
            self.free.append(sequence)

    def saw(self, own: int) -> None:
        """So many cells are in use beside those of prefixes, or were until now."""
        used = self.tree.cells + own
        self._peak = max(self._peak, used) if used else 0

    # --- prefixes --------------------------------------------------------------------------------

    def keep(
        self, key: Key, sequence: int, tokens: list[int], on: Prefix | None = None, *, stable: bool = False
    ) -> None:
        """Keep a sequence as a prefix; it started from `on`, and shares its cells already."""
        gone, (holder, length) = self.tree.keep(key, sequence, tokens, on, stable=stable)
        if length:
            self._llama.share(holder, sequence, length)
        self.drop(*gone)
        if stable:
            self.tree.prove(key, tokens)
        self._untidy = True

    def bring(self, prefix: Prefix | None, own: int, sequences: int) -> Prefix | None:
        """Have a taken prefix in cells, beside `own` cells of requests. Where there is no room, a part of it.

        What `make_room` has found for so many `sequences` is there afterwards: the prefix may take one of its own.
        """
        tree = self.tree
        if prefix is None or not isinstance(tree, Parked) or not (missing := tree.missing(prefix)):
            return prefix
        above = missing[0].parent
        assert above is not None, "a root is never away"
        back, sequence = 0, -1
        wanted = 1 + min(2, sequences)
        while len(self.free) < wanted and self.evict():
            pass
        if len(self.free) >= wanted:
            sequence = above.sequence if above.sequence >= 0 else self._branch(above)
            while back < len(missing) and tree.worth(missing[back]) and self._load(missing[back], sequence, own):
                self.drop(*tree.revive(missing[back], sequence))
                back += 1
        if back == len(missing):
            return prefix
        if not back and sequence not in (-1, above.sequence):
            self.drop(sequence)
        return tree.shorten(prefix, missing[back - 1] if back else above)

    def _branch(self, above: Node) -> int:
        (sequence,) = self.lend(1)
        if above.depth:
            self._llama.copy(above.leaf().sequence, sequence, above.depth)
        return sequence

    def _load(self, node: Node, sequence: int, own: int) -> bool:
        state, end = node.state, node.depth
        assert state is not None, "what is not in cells is in memory"
        # for a moment all that was saved takes cells, also where only the beginning of it is wanted
        while self.tree.cells + own + state.end - state.start > self._llama.context:
            if not self.evict():
                return False
        self.saw(own + state.end - state.start)
        return self._llama.load_part(state.data, self.free[-1], sequence, end - len(node.tokens), end)

    # --- room ------------------------------------------------------------------------------------

    def make_room(self, cells: int, sequences: int, prefix: Prefix | None = None) -> bool:
        """Free cells and sequences for those that run and are to run; False where prefixes in use leave no room.

        `prefix` has been taken, but need not stand in cells yet.
        """
        if self.tree.pinned + cells > self._llama.context:
            return False
        if prefix and isinstance(self.tree, Parked):
            cells += sum(len(node.tokens) for node in self.tree.missing(prefix))
        while self.tree.cells + cells > self._llama.context or len(self.free) < sequences:
            if not self.evict():
                break
        return len(self.free) >= min(2, sequences)

    def bound(self) -> None:
        """Keep no more than is worth its cells, which attention passes over."""
        # What nobody has begun with is mostly never begun with, but for the last ones: chats take turns.
        while self.tree.unproven > self._eighth and self.evict(unproven=CHATS):
            pass
        while self.tree.leaves > KEPT or (self.tree.leaves > 1 and self.tree.cells > self._half):
            if not self.evict():
                break

    def evict(self, *, unproven: int = 0) -> bool:
        """Free the cells of the least recently used end of a prefix, which stays in memory if there is room."""
        if isinstance(self.tree, Parked) and (leaf := self.tree.least(unproven)):
            self._save(leaf)
        return self._vacate(unproven)

    def _vacate(self, unproven: int = 0) -> bool:
        given = self.tree.evict(unproven=unproven)
        if given is None:
            return False
        sequence, length = given
        if length:
            self._llama.cut(sequence, length)
        else:
            self.drop(sequence)
        return True

    # --- parking ---------------------------------------------------------------------------------

    def settle(self, own: int) -> None:
        """Park what no request stands on, where attention would pass over it; `own` cells are those of requests."""
        while passed_over(self.tree.pinned + own, self.tree.cells - self.tree.pinned) and self._park():
            pass

    def start_low(self, own: int) -> None:
        """Before the first of some requests: have the lowest cells free, where high ones have been used."""
        if passed_over(own, self._peak - own):
            while self._park():
                pass
            self.saw(0)

    def tidy(self) -> None:
        """While nothing runs: save what stands in cells only, so that it can leave them at once."""
        unsaved = self.tree.unsaved() if self._untidy and isinstance(self.tree, Parked) else ()
        self._untidy = False
        for node in unsaved:
            if not self._save(node, again=True):
                break

    def _park(self) -> bool:
        """As `evict`, but what cannot be parked stays. What is older than all that is parked is given up."""
        if not isinstance(self.tree, Parked) or (leaf := self.tree.least()) is None or self._save(leaf) is None:
            return False
        return self._vacate()

    def _save(self, node: Node, *, again: bool = False) -> bool | None:
        """Have a node in memory: whether there is room beside what was used later; None where there never is."""
        assert isinstance(self.tree, Parked), "states stay where they are"
        if node.state and not again:
            return True
        if not self.free:
            return None
        end = node.depth
        start = end - len(node.tokens)
        data = self._llama.save_part(node.leaf().sequence, self.free[-1], start, end, self.tree.most_bytes)
        if data is None:
            return None
        # never more than the cells themselves take (`hardware/footprint.py`)
        self.tree.most_bytes = min(self.tree.most_bytes, data.nbytes * self._llama.context // (end - start))
        return self.tree.store(node, data)
