"""Many requests, one model: admits them, steps them together in one batch, and frees what they held."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Literal, Protocol

from linnet.errors import Cancelled, ContextOverflow, EmptyRequest, LinnetError, OutOfMemory, QueueFull
from linnet.limits import LIMITS
from linnet.protocol import Emitted, Ended, Failed, Submit, failed
from linnet.requests import Count, Done, Generate, Score, Usage
from linnet.worker.batch import Lane, StepSizer, plan
from linnet.worker.generate import Generation
from linnet.worker.llama import Entry, Llama, Logits
from linnet.worker.prefix import PrefixCache
from linnet.worker.score import Scoring
from linnet.worker.tokenise import tokenise

KEPT = LIMITS.sequences

Outgoing = Emitted | Ended | Failed
Phase = Literal["load", "prefill", "decode", "idle"]


class Job(Protocol):
    """A request in the making: it says what is to be computed, and is told when it was."""

    id: int
    prompt: list[int]
    done: Done | None
    lane: Lane

    @property
    def cells(self) -> int: ...
    @property
    def sequences(self) -> int: ...
    @property
    def fed(self) -> list[int]: ...
    def lanes(self) -> list[Lane]: ...
    def start(self, sequences: list[int], cached: int) -> None: ...
    def computed(self, lane: Lane, logits: list[Logits]) -> None: ...
    def records(self) -> list[Emitted]: ...


class Engine:
    """The worker's side of every request on one loaded model.

    Cells of the KV cache are promised before a request starts, so none ever fails for the sake of another:
    what does not fit yet waits, oldest first.
    """

    def __init__(self, llama: Llama, sequences: int) -> None:
        self._llama = llama
        self._waiting: deque[Job] = deque()
        self._running: dict[int, tuple[Job, list[int]]] = {}
        self._free = list(range(sequences))
        self._prefixes = PrefixCache(KEPT)
        self._sizer = StepSizer()
        self.progress = 0

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    @property
    def phase(self) -> Phase:
        lanes = [len(lane.pending) for job, _ in self._running.values() for lane in job.lanes()]
        return ("prefill" if max(lanes) > 1 else "decode") if lanes else "idle"

    # --- requests --------------------------------------------------------------------------------

    def submit(self, submit: Submit) -> list[Outgoing]:
        """Take on a request; what can be said of it at once is returned."""
        self.progress += 1
        if len(self._waiting) + len(self._running) >= LIMITS.queue:
            return [failed(submit.id, QueueFull(f"{LIMITS.queue} requests wait already", queue=LIMITS.queue))]
        try:
            job = self._job(submit)
        except LinnetError as error:
            return [failed(submit.id, error)]
        if isinstance(job, Done):
            return [Ended(submit.id, job)]
        self._waiting.append(job)
        return []

    def cancel(self, id: int) -> list[Outgoing]:
        for job in self._waiting:
            if job.id == id:
                self._waiting.remove(job)
                return [failed(id, Cancelled("cancelled before it started"))]
        if id in self._running:
            self._release(id)
            return [failed(id, Cancelled("cancelled by the caller"))]
        return []

    def _job(self, submit: Submit) -> Job | Done:
        request = submit.request
        prompt = self._tokens(request.prompt)
        match request:
            case Count():
                return Done(count=len(prompt), usage=Usage(prompt_tokens=len(prompt)))
            case Score(continuations=texts):
                continuations = [self._llama.tokenise(text) for text in texts]
                self._check_room(len(prompt), sum(map(len, continuations)))
                return Scoring(submit.id, prompt, continuations, self._llama)
            case Generate(max_tokens=wanted):
                self._check_room(len(prompt), 1)
                limit = min(wanted, self._llama.context - len(prompt))
                return Generation(submit.id, request, prompt, self._llama, limit, submit.emitted)

    def _tokens(self, prompt: Any) -> list[int]:
        return tokenise(prompt, self._llama.vocabulary, self._llama.tokenise)

    def _check_room(self, prompt: int, wanted: int) -> None:
        context = self._llama.context
        if not prompt:
            raise EmptyRequest("the prompt is no token long, so there is nothing to go on from")
        if prompt + wanted > context:
            raise ContextOverflow(
                f"the prompt is {prompt} tokens and the context {context}, with {wanted} to come",
                prompt_tokens=prompt,
                context=context,
            )

    # --- stepping --------------------------------------------------------------------------------

    def step(self) -> list[Outgoing]:
        """Compute one batch for all running requests, and return what it led to."""
        out = self._admit()
        lanes = {id(lane): (job, lane) for job, _ in self._running.values() for lane in job.lanes()}
        chosen = plan((lane for _, lane in lanes.values()), self._sizer.budget)
        if chosen:
            started = time.monotonic()
            rows = self._compute(chosen)
            total = sum(count for _, count in chosen)
            self._sizer.observe(total, time.monotonic() - started)
            self.progress += total
            for (lane, count), wanted in zip(chosen, rows, strict=True):
                lane.advance(count)
                out += self._tell(lanes[id(lane)][0], lane, wanted)
        return out + self._collect()

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
        self._decode(entries)
        return [[self._llama.logits(i) for i in indices] for indices in wanted]

    def _decode(self, entries: list[Entry]) -> None:
        while True:
            try:
                self._llama.decode(entries)
                return
            except OutOfMemory:
                # Promises count shared cells once per user, so kept prefixes are all that can be in the way.
                if not self._evict():
                    raise

    def _collect(self) -> list[Outgoing]:
        out: list[Outgoing] = []
        for job, _ in list(self._running.values()):
            out += job.records()
            if job.done:
                out.append(Ended(job.id, job.done))
                self._release(job.id)
        return out

    # --- room ------------------------------------------------------------------------------------

    def _admit(self) -> list[Outgoing]:
        out: list[Outgoing] = []
        while self._waiting and len(self._running) < LIMITS.sequences and self._make_room(self._waiting[0]):
            job = self._waiting.popleft()
            sequences = [self._free.pop() for _ in range(min(job.sequences, len(self._free)))]
            job.start(sequences, self._reuse(job, sequences[0]))
            self._running[job.id] = (job, sequences)
        return out

    def _make_room(self, job: Job) -> bool:
        promised = sum(other.cells for other, _ in self._running.values())
        if promised + job.cells > self._llama.context:
            return False  # no kept prefix is in the way, so none is given up
        while (
            len(self._free) < job.sequences
            or promised + self._prefixes.cells + job.cells - self._shared(job)[1] > self._llama.context
        ):
            if not self._evict():
                break
        return len(self._free) >= min(2, job.sequences)

    def _shared(self, job: Job) -> tuple[int, int]:
        """The kept sequence to share with and for how long; the last prompt token is computed for its logits."""
        if not self._llama.can_cut:
            return -1, 0
        source, length = self._prefixes.longest(job.prompt)
        return source, min(length, len(job.prompt) - 1)

    def _reuse(self, job: Job, sequence: int) -> int:
        source, length = self._shared(job)
        if length > 0:
            self._llama.copy(source, sequence, length)
        return length

    def _release(self, id: int) -> None:
        job, sequences = self._running.pop(id)
        kept = [sequences[0]] if self._llama.can_cut else []
        gone = [s for s in sequences if s not in kept]
        for sequence in kept:
            gone += self._prefixes.keep(sequence, job.fed)
        for sequence in gone:
            self._llama.cut(sequence)
            self._free.append(sequence)

    def _evict(self) -> bool:
        sequence = self._prefixes.evict()
        if sequence < 0:
            return False
        self._llama.cut(sequence)
        self._free.append(sequence)
        return True
