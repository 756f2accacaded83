"""Computed prefixes that outlive the worker: restored from files that it was handed, written to memory it was lent.

A state is believed if its digest is right, and if the logits of a probe are those that were told with it, but for
what differently shaped batches change. The probe is its last token: computed again, or where a sequence cannot be
cut, computed once more behind it, on a copy. Nothing here decides which sequence or cell is free; whoever holds
those lends them.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linnet.limits import LIMITS
from linnet.protocol import Load, Restored, Saved, Snapshot, Top
from linnet.worker.llama import Entry, Llama, Logits

LEAST = 16
"""Tokens of the shortest prefix that is worth a file, and that a restored one must spare (docs/worker.md)."""

TOLERANCE = 1.5
"""How far a logit may be from that of the snapshot: batches of another shape move it a little (docs/worker.md)."""

TOGETHER = 16
"""Prefixes that are written or restored in one step."""

_TOP = 8
_BLOCK = 1 << 16
_ALIGNED = 64

Bytes = NDArray[np.uint8]


class Snapshots:
    """What of the disk one worker knows, and what it has to give to it: nothing without descriptors."""

    def __init__(self, llama: Llama, load: Load | None = None) -> None:
        self._llama = llama
        self._known = {one.key: one for one in load.snapshots} if load else {}
        self._scratch = _Scratch(load.scratch) if load and load.scratch >= 0 else None
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        for one in self._known.values():
            self._see(one.adapter, one.tokens)
        self._left = LIMITS.snapshots_taken
        self._wanted: list[tuple[str, tuple[int, ...]]] = []
        self._asked: dict[str, Snapshot] = {}

    @property
    def used(self) -> bool:
        """Whether it matters which tokens of a prompt are stable."""
        return bool(self._known or self._scratch)

    # --- from the disk ---------------------------------------------------------------------------

    def ask(self, adapter: str, prompt: list[int], held: int) -> None:
        """Have the longest beginning of a prompt restored with the next step; `held` tokens of it are there."""
        fitting = [one for one in self._known.values() if one.adapter == adapter and _begins(prompt, one.tokens)]
        longest = max(fitting, key=lambda one: len(one.tokens), default=None)
        if longest and len(longest.tokens) >= held + LEAST:
            self._asked[longest.key] = longest

    def asked(self) -> list[Snapshot]:
        """What was asked for since the last call, each once; all for the adapter of the first."""
        asked = list(self._asked.values())
        group = [one for one in asked if one.adapter == asked[0].adapter][:TOGETHER]
        for one in group:
            del self._asked[one.key]
        return group

    def restore(self, chosen: Sequence[tuple[Snapshot, list[int]]]) -> list[Restored]:
        """Read each into the first of the empty sequences beside it, and check all of them in one batch.

        A second sequence is where a copy is probed that cannot go back. What is found to be wrong is forgotten, its
        sequences left as they are.
        """
        started = time.monotonic()
        read = {one.key: (one, lent) for one, lent in chosen if self._read(one, lent[0])}
        for one, (sequence, *spare) in read.values():
            for other in spare:
                self._llama.copy(sequence, other, len(one.tokens))
        rows = self._predict([(one.tokens, lent[-1]) for one, lent in read.values()])
        good = {key for (key, (one, _)), row in zip(read.items(), rows, strict=True) if _near(one.top, row)}
        for one, _ in chosen:
            if one.key not in good:
                del self._known[one.key]
        seconds = time.monotonic() - started
        return [Restored(one.key, one.key in good, seconds) for one, _ in chosen]

    def _read(self, one: Snapshot, sequence: int) -> bool:
        """Read, not mapped: a file that somebody shortens would kill whoever has it mapped."""
        state = np.empty(one.size, np.uint8)
        try:
            read = os.preadv(one.fd, [state.data], one.offset)
        except OSError:
            return False
        if read != one.size or digest(state, one.tokens) != one.digest:
            return False
        return self._llama.load_state(sequence, state) and self._llama.length(sequence) == len(one.tokens)

    def _predict(self, group: Sequence[tuple[Sequence[int], int]]) -> list[Logits]:
        """Compute the last of the tokens that stand in each sequence (or all but this), and what comes behind it.

        Where it cannot be taken back it is computed once more, behind all of them.
        """
        if not group:
            return []
        for tokens, sequence in group if self._llama.can_cut else ():
            self._llama.cut(sequence, len(tokens) - 1)
        whole = 0 if self._llama.can_cut else 1
        self._llama.decode([Entry(tokens[-1], len(tokens) - 1 + whole, sequence, True) for tokens, sequence in group])
        return [self._llama.logits(i) for i in range(len(group))]

    # --- to the disk -----------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether `take` has something to do."""
        return bool(self._wanted) and self._scratch is not None and not self._scratch.full

    def want(self, adapter: str, tokens: Sequence[int]) -> None:
        """Have a computed prefix stored when there is time; each once, and what is too short never."""
        if self._scratch and self._left and len(tokens) >= LEAST and self._see(adapter, tokens):
            self._left -= 1
            self._wanted.append((adapter, tuple(tokens)))

    def wanted(self) -> tuple[str, list[tuple[int, ...]]]:
        """An adapter and the prefixes that are to be stored for it next; they are not told again."""
        adapter = self._wanted[0][0]
        group = [one for one in self._wanted if one[0] == adapter][:TOGETHER]
        self._wanted = [one for one in self._wanted if one not in group]
        return adapter, [tokens for _, tokens in group]

    def take(self, adapter: str, group: Sequence[tuple[tuple[int, ...], int]]) -> list[Saved]:
        """Write prefixes of which all tokens but the last (or all, where it cannot be cut) stand in its sequence.

        One that the scratch has no room for is cut if it can be; while others wait in there to be copied it is tried
        again later.
        """
        assert self._scratch is not None
        chosen: list[tuple[tuple[int, ...], int]] = []
        room = self._scratch.room
        for tokens, sequence in group:
            size = self._llama.state_size(sequence)
            each = -(-size // max(1, len(tokens) - 1))
            if size + each > room - _ALIGNED and room < self._scratch.size:
                self._wanted.append((adapter, tokens))
                self._scratch.full = not chosen
                continue
            fitting = min(len(tokens), (room - _ALIGNED) // each)
            if fitting >= LEAST and (self._llama.can_cut or fitting == len(tokens)):
                chosen.append((tokens[:fitting], sequence))
                room -= fitting * each + _ALIGNED
        written = [] if self._llama.can_cut else [self._write(*one) for one in chosen]  # the probe changes them
        tops = [_top(row) for row in self._predict(chosen)]
        written = written or [self._write(*one) for one in chosen]
        return [
            Saved(*place, tokens, top, adapter)
            for (tokens, _), place, top in zip(chosen, written, tops, strict=True)
            if place and self._finite(place[0], top)
        ]

    def _write(self, tokens: tuple[int, ...], sequence: int) -> tuple[int, int, str] | None:
        """Offset, size and digest of what stands in the scratch now; None if nothing does."""
        assert self._scratch is not None
        size = self._llama.state_size(sequence)
        place = self._scratch.place(size)
        if place is None:
            return None
        offset, room = place
        if not self._llama.save_state(sequence, room):
            self._scratch.freed(offset)
            return None
        return offset, size, digest(room, tokens)

    def _finite(self, offset: int, top: Top) -> bool:
        """Whether the logits are numbers; if not, what was written before them is given up."""
        finite = all(math.isfinite(logit) for _, logit in top)
        if not finite:
            self.freed(offset)
        return finite

    def freed(self, offset: int) -> None:
        """The caller has copied what was saved there."""
        if self._scratch:
            self._scratch.freed(offset)

    def _see(self, adapter: str, tokens: Sequence[int]) -> bool:
        """Whether this prefix is a new one. So many are remembered that a worker never stores one twice."""
        seen = hashlib.blake2b(np.array(tokens, np.int32).tobytes(), digest_size=16, salt=_salt(adapter)).digest()
        new = seen not in self._seen
        self._seen[seen] = None
        self._seen.move_to_end(seen)
        if len(self._seen) > LIMITS.snapshots_open + LIMITS.snapshots_taken:
            self._seen.popitem(last=False)
        return new


@dataclass
class _Scratch:
    """Memory shared with the caller, filled from its beginning until all in it was copied out."""

    fd: int

    def __post_init__(self) -> None:
        self._map = mmap.mmap(self.fd, 0)
        self._bytes: Bytes = np.frombuffer(self._map, np.uint8)
        self._held: set[int] = set()
        self._next = 0
        self.size = len(self._map)
        self.full = False

    @property
    def room(self) -> int:
        return self.size - self._next

    def place(self, size: int) -> tuple[int, Bytes] | None:
        """`(offset, bytes there)`, or None where there is not so much room."""
        if size > self.room:
            return None
        offset = self._next
        self._held.add(offset)
        self._next += -(-size // _ALIGNED) * _ALIGNED
        return offset, self._bytes[offset : offset + size]

    def freed(self, offset: int) -> None:
        self._held.discard(offset)
        if not self._held:
            self._next, self.full = 0, False
            self._map.madvise(mmap.MADV_REMOVE)  # the memory goes back to the system


def digest(state: Bytes, tokens: Sequence[int]) -> str:
    """SHA-256 over the sums of blocks of 64 KiB as 64-bit words, what is left behind the last one, and the tokens.

    Any one damaged word is found, in a tenth of the time that hashing all of it takes. The tokens are in it because
    the logits behind two prompts that differ in one word are near each other. It is no protection from somebody who
    can write the file, who could write its digest as well.
    """
    whole = state.size // _BLOCK * _BLOCK
    sums = state[:whole].view(np.uint64).reshape(-1, _BLOCK // 8).sum(axis=1, dtype=np.uint64)
    sha = hashlib.sha256(sums.tobytes())
    sha.update(state[whole:].tobytes())
    sha.update(np.array([state.size, *tokens], np.int64).tobytes())
    return sha.hexdigest()


def _begins(prompt: list[int], tokens: tuple[int, ...]) -> bool:
    return len(tokens) <= len(prompt) and prompt[len(tokens) - 1] == tokens[-1] and prompt[: len(tokens)] == [*tokens]


def _top(logits: Logits) -> Top:
    largest = np.argpartition(logits, -_TOP)[-_TOP:] if logits.size > _TOP else np.arange(logits.size)
    return tuple((int(token), float(logits[token])) for token in sorted(largest))


def _near(top: Top, logits: Logits) -> bool:
    """Whether all of them are where they were; what is not a number is not."""
    return bool(top) and all(
        0 <= token < logits.size and abs(float(logits[token]) - logit) <= TOLERANCE for token, logit in top
    )


def _salt(adapter: str) -> bytes:
    return hashlib.sha256(adapter.encode()).digest()[: hashlib.blake2b.SALT_SIZE]
