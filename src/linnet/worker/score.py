"""Log-likelihood of given continuations under one shared prompt, which is computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linnet.protocol import Emitted
from linnet.requests import Done, Score, Usage
from linnet.tokens import Odds
from linnet.worker.batch import Lane
from linnet.worker.llama import Llama, Logits
from linnet.worker.odds import odds
from linnet.worker.sample import normaliser

BRANCHES = 16
"""Continuations computed side by side."""

_TOLD = 256
"""Tokens whose odds are told in one record."""


class Scoring:
    """The state of one `Score`: first the prompt, then the continuations in waves of free sequences. One that scores
    its prompt has the first token of it for a prompt, and the rest for the one continuation.

    A continuation of n tokens needs n - 1 of them computed: the first is judged by the prompt's own logits.
    """

    def __init__(
        self,
        id: int,
        request: Score,
        prompt: list[int],
        continuations: list[list[int]],
        llama: Llama,
        adapter: str = "",
        stable: int = 0,
    ) -> None:
        self.id = id
        self.owner, self.adapter = request.owner, adapter
        self.prompt, self.stable = prompt, stable
        self.done: Done | None = None
        self._llama = llama
        self._continuations = continuations
        self._scores = [0.0] * len(continuations)
        self._waiting = [i for i, tokens in enumerate(continuations) if len(tokens) > 1]
        self._branches: dict[int, tuple[Lane, int]] = {}
        self._free: list[int] = []
        self._cached = 0
        self._most = request.alternatives
        self._odds: list[Odds] = []
        self.lane = Lane(pending=list(prompt))

    @property
    def cells(self) -> int:
        return len(self.prompt) + sum(map(len, self._continuations))

    @property
    def now(self) -> int:
        return self.cells

    @property
    def soon(self) -> int:
        return self.cells

    def pause(self) -> bool:
        """Never: it is short, and has taken all its cells at once."""
        return False

    @property
    def sequences(self) -> int:
        """Sequence numbers that it can use: its own, and one for each continuation of a wave."""
        return 1 + min(BRANCHES, len(self._waiting))

    @property
    def watched(self) -> bool:
        return False

    @property
    def fed(self) -> list[int]:
        return self.prompt[: self.lane.position]

    def draft(self, limit: int) -> None:
        """There is nothing to guess."""

    def lanes(self) -> list[Lane]:
        return [self.lane, *(lane for lane, _ in self._branches.values())]

    def start(self, sequences: Sequence[int], cached: int) -> None:
        self.lane.sequence, *self._free = sequences
        self.lane.advance(cached)
        self._cached = cached

    def computed(self, lane: Lane, logits: list[Logits]) -> None:
        if lane is self.lane:
            if not lane.pending:
                row = logits[-1]
                whole = normaliser(row)
                self._scores = [float(row[tokens[0]]) - whole for tokens in self._continuations]
                self._tell(row, self._continuations[0][0] if self._continuations else 0)
                self._next_wave()
            return
        _, index = self._branches[lane.sequence]
        tokens = self._continuations[index]
        judged = lane.position - len(self.prompt) - len(logits)
        for offset, row in enumerate(logits, start=judged + 1):
            self._scores[index] += float(row[tokens[offset]]) - normaliser(row)
            self._tell(row, tokens[offset])
        if not lane.pending:
            self._llama.cut(lane.sequence)
            del self._branches[lane.sequence]
            self._free.append(lane.sequence)
            if not self._branches:
                self._next_wave()

    def records(self) -> list[Emitted]:
        """All at the end, so that a request that is begun anew has told nothing yet."""
        if not self.done:
            return []
        told, self._odds = self._odds, []
        parts = [tuple(told[at : at + _TOLD]) for at in range(0, len(told), _TOLD)]
        return [Emitted(self.id, "", tuple(one.token.id for one in part), part) for part in parts]

    def _tell(self, row: NDArray[np.float32], token: int) -> None:
        if self._most is not None:
            self._odds.append(odds(self._llama, row, token, self._most))

    def _next_wave(self) -> None:
        while self._waiting and self._free:
            index, sequence = self._waiting.pop(0), self._free.pop()
            self._llama.copy(self.lane.sequence, sequence, len(self.prompt))
            pending = self._continuations[index][:-1]
            self._branches[sequence] = (Lane(sequence, len(self.prompt), list(pending), every=True), index)
        if not self._branches:
            assert not self._waiting, "continuations that nothing computes would be judged by their first tokens"
            scores = tuple((s, len(t)) for s, t in zip(self._scores, self._continuations, strict=True))
            self.done = Done(usage=Usage(self.cells, self._cached), scores=scores)
