"""Many requests, one model: admits them, steps them together in one batch, and frees what they held."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from linnet.errors import Cancelled, LinnetError, QueueFull
from linnet.limits import LIMITS
from linnet.protocol import Ended, Restored, Snapshot, Submit, failed
from linnet.requests import Done, Embed
from linnet.vectors import Pooling
from linnet.worker.batch import SMALLEST, Lane, StepSizer, plan
from linnet.worker.boundaries import LEAST
from linnet.worker.cells import Cells
from linnet.worker.embed import Embedder
from linnet.worker.face import Outgoing, Phase
from linnet.worker.intake import Intake
from linnet.worker.job import Job, Running
from linnet.worker.llama import Entry, Llama, Logits
from linnet.worker.prefix import Prefix
from linnet.worker.snapshots import Snapshots

GUESSES = {1: 12, 2: 4}
"""Tokens that each of so many requests may guess ahead. Those of three and more fill a batch by themselves."""

LONG = 128
"""Tokens of a prompt for which masked cells cost more than what nobody has begun with is worth (docs/log.md)."""

_WITHIN = 1e-6
"""Progress within a step, by the operation: next to nothing, and more than none."""


class Engine:
    """The worker's side of every request on one loaded model.

    A request is let in when there is room for its prompt and some answer; what does not fit yet waits, oldest
    first. Where answers then grow into each other, kept prefixes go first, and next the youngest request starts
    again later: none ever fails for the sake of another.
    """

    def __init__(
        self,
        llama: Llama,
        sequences: int,
        snapshots: Snapshots | None = None,
        beat: Callable[[], None] = lambda: None,
        pooling: Pooling | None = None,
    ) -> None:
        self._llama = llama
        self._beat = beat
        self._slow = True  # until a step has shown that it is not
        self._snapshots = snapshots or Snapshots(llama)
        self._intake = Intake(llama, answers=not (pooling and pooling.only))
        self._embedder = Embedder(llama, pooling, self._tick)
        self._waiting: deque[Job] = deque()
        self._running: dict[int, Running] = {}
        self._cells = Cells(llama, sequences)
        self._sizer = StepSizer()
        self._turn: deque[str] = deque()  # adapters, the one that computed last at the end
        self.progress = 0.0
        """Grows with every token computed, and a little within a step that takes long."""

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running or self._snapshots.waiting or self._embedder.waiting)

    @property
    def phase(self) -> Phase:
        lanes = [len(lane.pending) for running in self._running.values() for lane in running.job.lanes()]
        lanes += [LONG] if self._embedder.waiting else []
        return ("prefill" if max(lanes) > 1 else "decode") if lanes else "idle"

    def use_threads(self, decode: int, prefill: int) -> None:
        """Compute the next steps with so many threads."""
        self._llama.use_threads(decode, prefill)
        self._embedder.use_threads(prefill)

    def rest(self) -> None:
        """Nothing has come for a while: do what would keep a request waiting."""
        if not self.busy:
            self._cells.tidy()

    # --- requests --------------------------------------------------------------------------------

    def submit(self, submit: Submit) -> list[Outgoing]:
        """Take on a request; what can be said of it at once is returned."""
        self.progress += 1
        if len(self._waiting) + len(self._running) + self._embedder.waiting >= LIMITS.queue:
            return [failed(submit.id, QueueFull(f"{LIMITS.queue} requests wait already", queue=LIMITS.queue))]
        try:
            if isinstance(submit.request, Embed):
                return self._embedder.submit(submit)
            job = self._intake.job(submit)
        except LinnetError as error:
            return [failed(submit.id, error)]
        if isinstance(job, Done):
            return [Ended(submit.id, job)]
        if job.done:  # all of it is forced, or was said before
            return [*job.records(), Ended(job.id, job.done)]
        if not job.owner:
            held = self._cells.tree.longest((job.owner, job.adapter), job.prompt)
            self._snapshots.ask(job.adapter, job.prompt, held)
        self._waiting.append(job)
        return []

    def freed(self, offset: int) -> None:
        """What was saved there has been copied out of the scratch."""
        self._snapshots.freed(offset)

    def cancel(self, id: int) -> list[Outgoing]:
        for job in self._waiting:
            if job.id == id:
                self._waiting.remove(job)
                return [failed(id, Cancelled("cancelled while it waited"))]
        if id in self._running:
            self._release(id)
        elif not self._embedder.cancel(id):
            return []
        return [failed(id, Cancelled("cancelled by the caller"))]

    # --- stepping --------------------------------------------------------------------------------

    def step(self) -> list[Outgoing]:
        """Compute one batch for running requests of one adapter, and return what it led to."""
        out: list[Outgoing] = [*self._embedder.step(answering=bool(self._running))]
        if not (self._waiting or self._running):
            return out + self.leave()
        out += self._restore()
        self._admit()
        jobs = self._next()
        room = self._llama.context - self._cells.tree.pinned - self._own()
        for job in jobs if self._llama.can_take_back else ():
            job.draft(min(GUESSES.get(len(jobs), 0), room // len(jobs)))
        self._relieve()
        self._cells.settle(self._soon())
        lanes = {id(lane): (job, lane) for job in jobs for lane in job.lanes() if job.id in self._running}
        # Large steps compute a prompt nearly twice as fast as small ones; small ones keep answers flowing.
        watched = any(running.job.watched for running in self._running.values())
        aim = LIMITS.chunk_seconds if watched else LIMITS.prefill_seconds
        chosen = plan((lane for _, lane in lanes.values()), min(self._sizer.budget(aim), self._llama.context))
        if chosen:
            started = time.monotonic()
            rows = self._compute(chosen)
            total, seconds = sum(count for _, count in chosen), time.monotonic() - started
            self._cells.saw(self._own())
            self._slow = seconds > LIMITS.chunk_seconds / 2
            self._sizer.observe(total, seconds)
            self.progress += total
            for (lane, count), wanted in zip(chosen, rows, strict=True):
                lane.advance(count)
                if lane.position == lane.stop:
                    self._mark(self._running[lanes[id(lane)][0].id])
                out += self._tell(lanes[id(lane)][0], lane, wanted)
        return out + self._collect()

    def _next(self) -> list[Job]:
        """The running jobs of the adapter whose turn it is: all of a batch share one."""
        jobs = [running.job for running in self._running.values() if running.job.lanes()]
        wanted = {job.adapter for job in jobs}
        if not wanted:
            return []
        self._turn.extend(sorted(wanted.difference(self._turn)))
        adapter = next(name for name in self._turn if name in wanted)
        self._turn.remove(adapter)
        self._turn.append(adapter)
        self._llama.adapt(adapter)
        return [job for job in jobs if job.adapter == adapter]

    def _tell(self, job: Job, lane: Lane, logits: list[Logits]) -> list[Outgoing]:
        """What a job cannot go on from ends that job alone."""
        if job.id not in self._running:
            return []
        try:
            job.computed(lane, logits)
        except LinnetError as error:
            self._release(job.id)
            return [failed(job.id, error)]
        return []

    def _compute(self, chosen: list[tuple[Lane, int]]) -> list[list[Logits]]:
        entries: list[Entry] = []
        wanted: list[list[int]] = []
        for lane, count in chosen:
            last = count - 1 if count == len(lane.pending) else -1
            wanted.append([])
            for i, token in enumerate(lane.pending[:count]):
                needed = lane.every or i == last
                if needed:
                    wanted[-1].append(len(entries))
                entries.append(Entry(token, lane.position + i, lane.sequence, needed))
        company = self._company(entries[0]) if len(entries) == 1 and chosen[0][0].paired else []
        # A large model on a small machine, or a busy one, takes longer for one step than silence is let pass.
        self._llama.decode([*entries, *company], self._tick if self._slow or len(entries) >= SMALLEST else None)
        for entry in company:
            self._llama.cut(entry.sequence)
        return [[self._llama.logits(i) for i in indices] for indices in wanted]

    def _company(self, one: Entry) -> list[Entry]:
        """What is computed beside a lone token and forgotten: nothing beside a state, or in a full cache."""
        room = self._llama.context - self._cells.tree.cells - self._own()
        if not (self._llama.can_take_back and self._cells.free and room > 0):
            return []
        return [Entry(one.token, 0, self._cells.free[-1], logits=False)]

    def _tick(self) -> None:
        self.progress += _WITHIN
        self._beat()

    def _collect(self) -> list[Outgoing]:
        out: list[Outgoing] = []
        for running in list(self._running.values()):
            job = running.job
            out += job.records()
            if job.done:
                out.append(Ended(job.id, job.done))
                self._release(job.id)
        return out

    # --- room ------------------------------------------------------------------------------------

    def _admit(self) -> None:
        while self._waiting and len(self._running) < LIMITS.sequences and self._let_in(self._waiting[0]):
            self._waiting.popleft()

    def _let_in(self, job: Job) -> bool:
        cells = self._cells
        if not self._running:
            cells.start_low(job.soon)
        # the last token of a prompt is always computed, for its logits
        prefix = cells.tree.take((job.owner, job.adapter), job.lane.pending[:-1])
        shared = prefix.length if prefix else 0
        while len(job.lane.pending) - shared >= LONG and cells.evict(unproven=1):
            pass
        if not cells.make_room(job.soon - shared + self._soon(), job.sequences, prefix):
            if prefix:
                cells.tree.release(prefix)
            return False
        running = Running(job, [], cells.bring(prefix, self._own(), job.sequences))
        running.sequences.extend(cells.lend(job.sequences))
        if running.prefix:
            self._llama.copy(running.prefix.sequence, running.sequences[0], running.shared)
        job.start(running.sequences, running.shared)
        if not self._llama.can_cut and self._boundary(job) >= running.shared + LEAST:
            job.lane.stop = self._boundary(job)
        self._running[job.id] = running
        return True

    def _relieve(self) -> None:
        """See that the tokens there are have cells: prefixes go first, then the youngest request that can."""
        while self._cells.tree.cells + self._own() > self._llama.context and (self._cells.evict() or self._pause()):
            pass

    def _own(self) -> int:
        return sum(running.job.now - running.shared for running in self._running.values())

    def _soon(self) -> int:
        return sum(running.job.soon - running.shared for running in self._running.values())

    def _pause(self) -> bool:
        # Those that cannot have all of their cells reserved, and so always fit together; one alone always fits.
        for running in [*self._running.values()][::-1] if len(self._running) > 1 else ():
            if running.job.pause():
                self._leave(running)
                self._waiting.appendleft(running.job)
                return True
        return False

    def _release(self, id: int) -> None:
        running = self._running[id]
        job, sequence = running.job, running.sequences[0]
        if not self._llama.can_cut and len(job.fed) < len(job.prompt):
            self._leave(running)  # a state in the middle of a prompt is no beginning of anything
            return
        self._llama.cut(sequence, len(job.fed))
        self._leave(running, kept=sequence)
        key, stable = (job.owner, job.adapter), job.prompt[: self._boundary(job)]
        self._cells.keep(key, sequence, job.fed, running.prefix)
        self._cells.tree.prove(key, stable)
        self._cells.bound()
        if not job.owner and self._cells.tree.longest(key, stable) == len(stable):
            self._snapshots.want(job.adapter, stable)

    def _boundary(self, job: Job) -> int:
        """Where the stable tokens of a prompt end, and some are left to compute: a state cannot go back by one."""
        return job.stable if self._llama.can_cut else min(job.stable, len(job.prompt) - 1)

    def _mark(self, running: Running) -> None:
        """A state that cannot be cut is kept where many requests may begin, and its request goes on from there."""
        job, sequence = running.job, running.sequences[0]
        key, tokens, cells = (job.owner, job.adapter), job.fed, self._cells
        held = cells.tree.longest(key, tokens) == len(tokens)
        if not held:
            if not (cells.free or cells.evict()):
                return
            (kept,) = cells.lend(1)
            self._llama.copy(sequence, kept, len(tokens))
            cells.keep(key, kept, tokens, running.prefix, stable=True)
        prefix = cells.tree.take(key, tokens)
        assert prefix and prefix.length == len(tokens), "it is kept"
        if held:  # computed meanwhile for another request: what is there twice takes cells twice
            self._llama.cut(sequence)
            self._llama.copy(prefix.sequence, sequence, len(tokens))
        if running.prefix:
            cells.tree.release(running.prefix)
        self._running[job.id] = replace(running, prefix=prefix)
        cells.bound()

    def _leave(self, running: Running, kept: int = -1) -> None:
        """Take a job off the running ones, and its sequences back but for one that is kept."""
        del self._running[running.job.id]
        if running.prefix:
            self._cells.tree.release(running.prefix)
        self._cells.drop(*(sequence for sequence in running.sequences if sequence != kept))

    # --- prefixes on disk ------------------------------------------------------------------------

    def _restore(self) -> Iterator[Restored]:
        """Have back from the disk what new requests begin with, as if it had been computed for one before them."""
        while asked := self._snapshots.asked():
            chosen: list[tuple[Snapshot, list[int]]] = []
            each = 1 if self._llama.can_cut else 2
            for one in asked:
                cells = sum(len(other.tokens) + each - 1 for other in (*(held for held, _ in chosen), one))
                if self._cells.make_room(cells + self._soon(), each):
                    chosen.append((one, self._cells.lend(each)))
            self._llama.adapt(asked[0].adapter)
            for (one, (sequence, *spare)), told in zip(chosen, self._snapshots.restore(chosen), strict=True):
                self._cells.drop(*spare)
                if told.good:
                    self._cells.keep(("", one.adapter), sequence, list(one.tokens), stable=True)
                    self._cells.bound()
                else:
                    self._cells.drop(sequence)
                yield told

    def leave(self) -> list[Outgoing]:
        """What there is still to be saved, where nothing runs."""
        idle = not (self._waiting or self._running)
        return self._take() if idle and self._snapshots.waiting else []

    def _take(self) -> list[Outgoing]:
        """Write computed prefixes while nothing runs; what has been evicted since it was wanted is passed over."""
        adapter, wanted = self._snapshots.wanted()
        cells, held = self._cells, [*self._held(adapter, wanted)]
        group: list[tuple[tuple[int, ...], int]] = []
        for tokens, prefix in held:
            if prefix.length == len(tokens) and cells.make_room(len(group) + 1, 1):
                group.append((tokens, cells.lend(1)[0]))
                copied = len(tokens) - 1 if self._llama.can_cut else len(tokens)
                self._llama.copy(prefix.sequence, group[-1][1], copied)
        self._llama.adapt(adapter)
        saved = self._snapshots.take(adapter, group)
        cells.drop(*(sequence for _, sequence in group))
        for _, prefix in held:
            cells.tree.release(prefix)
        return [*saved]

    def _held(self, adapter: str, wanted: list[tuple[int, ...]]) -> Iterator[tuple[tuple[int, ...], Prefix]]:
        """What is held of each of some prefixes, in cells."""
        for tokens in wanted:
            prefix = self._cells.tree.take(("", adapter), tokens)
            if prefix and self._cells.make_room(0, 1, prefix) and (prefix := self._cells.bring(prefix, 0, 1)):
                yield tokens, prefix
            elif prefix:
                self._cells.tree.release(prefix)
