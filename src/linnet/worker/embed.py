"""Vectors of texts: which are read in the next step, and how their states become one vector each.

Texts wait in the order in which they came and are read side by side. A step takes as long as one of answers may,
and a text that is longer than one is read in several; what is longer than the window is read window by window.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linnet.errors import EmptyRequest, KindUnsupported, LinnetError, WorkerCrashed
from linnet.limits import LIMITS
from linnet.protocol import Ended, Failed, Submit, failed
from linnet.requests import Done, Embed, Usage
from linnet.vectors import Pooling, Vectors
from linnet.worker.batch import Lane, StepSizer, plan
from linnet.worker.llama import Entry, Llama
from linnet.worker.states import SEQUENCES, Reader, States

Vector = NDArray[np.float32]


@dataclass(eq=False)
class _Text:
    """One window of a text: its tokens in the lane, what was seen of it, and how many states are not looked at."""

    of: _Job
    index: int
    lane: Lane
    whole: int
    skip: int
    sum: Vector | None = None
    tokens: int = 0


@dataclass(eq=False)
class _Job:
    """One request: sums of states for each text, how many they are of, and how many windows are to come."""

    id: int
    sums: list[Any]
    counts: list[int]
    windows: list[int]
    tokens: int
    left: int = 0
    waiting: deque[_Text] = field(default_factory=deque)


class Embedder:
    """The worker's side of every `Embed` on one model."""

    def __init__(self, llama: Llama, pooling: Pooling | None, tick: Callable[[], None] = lambda: None) -> None:
        self._llama, self._pooling, self._tick = llama, pooling, tick
        self._jobs: dict[int, _Job] = {}
        self._reader: Reader | None = None
        self._reading: list[_Text] = []
        self._free = list(range(SEQUENCES))
        self._sizer = StepSizer()
        self._threads = 1

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def use_threads(self, threads: int) -> None:
        self._threads = threads

    def submit(self, submit: Submit) -> list[Any]:
        """Nothing is to be told at once. Raises KindUnsupported for a model that does not embed, EmptyRequest for a
        text without tokens."""
        assert isinstance(submit.request, Embed)
        if self._pooling is None or submit.adapter:
            raise KindUnsupported("the model, as it is loaded, does not embed texts")
        texts = [self._llama.tokenise(text) for text in submit.request.texts]
        if not all(texts):
            raise EmptyRequest("a text is no token long, so there is nothing to embed")
        begin, end = self._marks
        skip = len(begin) if self._pooling.layer >= 0 else 0
        size = len(texts)
        job = _Job(submit.id, [0.0] * size, [0] * size, [0] * size, sum(map(len, texts)))
        for index, tokens in enumerate(texts):
            for part in _windows(tokens, max(1, self._pooling.window - len(begin) - len(end))):
                marked = [*begin, *part, *end]
                job.windows[index] += 1
                job.waiting.append(_Text(job, index, Lane(pending=marked, every=True), len(marked), skip))
        job.left = len(job.waiting)
        self._jobs[submit.id] = job
        return []

    @property
    def _marks(self) -> tuple[list[int], list[int]]:
        """What stands around a text: the model's own marks, or for states in the middle the one that begins a text,
        which draws all attention that goes nowhere else, and is not looked at itself."""
        if self._pooling is not None and self._pooling.layer >= 0:
            return self._llama.beginning, []
        return self._llama.around

    def cancel(self, id: int) -> bool:
        """Whether there was such a request. What is being read of it is read no further."""
        if self._jobs.pop(id, None) is None:
            return False
        for text in [text for text in self._reading if text.of.id == id]:
            self._leave(text)
        return True

    def step(self, *, answering: bool) -> list[Ended | Failed]:
        """Read one batch, if there is anything to read, and return what has ended. While others are being answered it
        is as short as a step of theirs."""
        if not self._jobs:
            return []
        started = time.monotonic()
        try:
            reader = self._open()
        except LinnetError as error:  # no memory for it: answers may go on
            gone, self._jobs = [*self._jobs], {}
            return [failed(id, error) for id in gone]
        chosen = self._chosen(reader, LIMITS.chunk_seconds if answering else LIMITS.prefill_seconds)
        entries = [
            Entry(token, lane.position + i, lane.sequence, True)
            for lane, count in ((text.lane, count) for text, count in chosen)
            for i, token in enumerate(lane.pending[:count])
        ]
        states = reader.read(entries)
        if not np.isfinite(states).all():
            raise WorkerCrashed("the model's states are no numbers")
        at = 0
        for text, count in chosen:
            self._take(text, states[at : at + count])
            at += count
        self._sizer.observe(at, time.monotonic() - started)
        self._tick()
        return [*self._ended()]

    def _open(self) -> Reader:
        assert self._pooling is not None
        if self._reader is None:
            self._reader = Reader(self._llama, self._pooling, self._tick)
        self._reader.use_threads(self._threads)
        return self._reader

    def _chosen(self, reader: Reader, seconds: float) -> list[tuple[_Text, int]]:
        """Texts of the next batch, and how many tokens of each."""
        assert self._pooling is not None
        budget = min(reader.step, self._sizer.budget(seconds))
        if not self._reading:
            reader.forget()
            self._free = list(range(SEQUENCES))
        self._admit(reader.step if self._pooling.whole else self._pooling.window, budget)
        if self._pooling.whole:
            return [(text, text.whole) for text in self._reading]
        lanes = {id(text.lane): text for text in self._reading}
        return [(lanes[id(lane)], n) for lane, n in plan((t.lane for t in self._reading), budget, rows=reader.step)]

    def _admit(self, cells: int, budget: int) -> None:
        """Begin with as many texts as there is room for: those of a model that reads them whole fill one step."""
        assert self._pooling is not None
        room = (max(budget, 1) if self._pooling.whole else cells) - sum(text.whole for text in self._reading)
        if self._reading and not self._pooling.whole:
            return  # cells are given back all at once, when all of them are read
        for text in self._next():
            if self._reading and (text.whole > room or not self._free):
                return
            text.of.waiting.popleft()
            text.lane.sequence = self._free.pop()
            room -= text.whole
            self._reading.append(text)

    def _next(self) -> Iterator[_Text]:
        for job in [*self._jobs.values()]:
            while job.waiting:
                yield job.waiting[0]

    def _take(self, text: _Text, states: States) -> None:
        assert self._pooling is not None
        text.lane.advance(len(states))
        text.skip, states = max(0, text.skip - len(states)), states[text.skip :]
        text.tokens += len(states)
        if not len(states):
            return
        if self._pooling.how == "mean":
            seen = states.sum(axis=0, dtype=np.float64)
            text.sum = seen if text.sum is None else text.sum + seen
        elif self._pooling.how == "last" or text.sum is None:
            text.sum = states[-1 if self._pooling.how == "last" else 0].astype(np.float64)
        if not text.lane.pending:
            self._leave(text)
            job, mean = text.of, self._pooling.how == "mean"
            weight = 1 if mean else text.tokens  # windows count by their lengths, however they are pooled
            job.sums[text.index] = job.sums[text.index] + text.sum * weight
            job.counts[text.index] += text.tokens
            job.left -= 1

    def _leave(self, text: _Text) -> None:
        self._reading.remove(text)

    def _ended(self) -> Iterator[Ended]:
        for job in [job for job in self._jobs.values() if not job.left]:
            del self._jobs[job.id]
            rows = np.stack([total / count for total, count in zip(job.sums, job.counts, strict=True)])
            vectors = Vectors(rows.shape[1], self._finished(rows).astype("<f4").tobytes())
            parts = [f"text {i + 1} was read in {n} parts" for i, n in enumerate(job.windows) if n > 1]
            told = (*parts[:8], *([f"and {len(parts) - 8} more"] if len(parts) > 8 else []))
            yield Ended(job.id, Done(usage=Usage(job.tokens), vectors=vectors, degraded=told))

    def _finished(self, rows: Any) -> Any:
        """Without what all texts have in common, and of length 1."""
        pooling = self._pooling
        assert pooling is not None
        if pooling.centre:
            rows = rows - np.frombuffer(pooling.centre, "<f2").astype(np.float64)
        if pooling.leave_out:
            axes = np.frombuffer(pooling.leave_out, "<f2").astype(np.float64).reshape(-1, pooling.width)
            rows = rows - (rows @ axes.T) @ axes
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1.0)


def _windows(tokens: list[int], window: int) -> list[list[int]]:
    return [tokens[at : at + window] for at in range(0, len(tokens), window)]
