"""The caller's side of the plain loops over a model: how fast the engine is with nothing around it.

For choosing threads and encodings, and as the limit that a worker is measured against. All in seconds, tokens per
second and bytes; no request is answered.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from linnet.errors import DeadlineExceeded, ProtocolBroken, RequestError, WorkerHung
from linnet.hardware import governor, probe
from linnet.hardware.reading import field, numbers, text
from linnet.limits import LIMITS
from linnet.models.gguf import ModelFile, open_model
from linnet.models.integrity import checked_header
from linnet.protocol import Failed, Load, Loop, Looped, Ready, Record, Stop
from linnet.runtime import child, postmortem, sandbox


@dataclass(frozen=True)
class Spread:
    """The middle of some measurements, and between which values half of them lie."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles (linear between ranks, the ends included). Raises ValueError for no values."""
    if len(values) < 2:
        (only,) = values
        return Spread(only, only, only)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


@dataclass(frozen=True)
class Rates:
    """What plain loops reached: tokens per second of each repeat, in the order in which they were made.

    `decode` is by streams, all of them together. `load_seconds` is the start of the child, imports included, and
    `resident` its memory in bytes once all loops were run, mapped weights included.
    """

    prefill: tuple[float, ...]
    decode: dict[int, tuple[float, ...]]
    load_seconds: float
    resident: int


def rates(
    model: ModelFile | Path,
    *,
    threads: int | None = None,
    prompt: int = 512,
    generate: int = 64,
    streams: Sequence[int] = (1,),
    repeats: int = 3,
    prefill_threads: int | None = None,
    context: int | None = None,
) -> Rates:
    """Prefill of `prompt` tokens in batches of 256, and decoding of `generate` tokens in each of so many streams.

    Rounds of all of them alternate, so that what disturbs the machine meets each alike; one more that warms up is
    left out. Each stream begins with 16 tokens. `threads` and the larger of prefill and decode's needs as the
    context are chosen if not given; `prefill_threads` are as many as `threads` unless they are said. A path is
    checked as any model file is. Raises what `RawLoop` raises.
    """
    needed = max(LIMITS.context_least, prompt, *(count * (_START + generate) for count in streams))
    with RawLoop(model, context=context or needed, threads=threads, prefill_threads=prefill_threads) as raw:
        prefills: list[float] = []
        decodes: dict[int, list[float]] = {count: [] for count in streams}
        raw.loop(_START, generate=2)
        for _ in range(repeats):
            prefills.append(prompt / raw.loop(prompt).prefill)
            for count in decodes:
                lap = raw.loop(_START, generate=generate, streams=count)
                decodes[count].append(count * generate / lap.decode)
        found = {count: tuple(values) for count, values in decodes.items()}
        return Rates(tuple(prefills), found, raw.load_seconds, raw.resident)


_START = 16


class RawLoop:
    """A child that runs plain loops over one model, from `__enter__` to `__exit__`.

    `context` is in tokens over all streams. Opening raises ModelError for a file that cannot be used, RequestError
    for a context below the smallest, and EngineError for a child that does not start.
    """

    def __init__(
        self,
        model: ModelFile | Path,
        *,
        context: int,
        threads: int | None = None,
        prefill_threads: int | None = None,
        sequences: int = 4 * LIMITS.sequences,
    ) -> None:
        self._model = model
        self._context, self._threads, self._prefill_threads = context, threads, prefill_threads
        self._sequences = sequences
        self._ids = count(1)
        self._child: child.Child | None = None
        self.load_seconds = 0.0

    def __enter__(self) -> Self:
        if isinstance(self._model, ModelFile):
            self._open(self._model)
        else:
            with open_model(self._model) as file:
                checked_header(file)
                self._open(file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.post(Stop())
            self._child.reap()
            self._child = None

    def loop(
        self,
        prompt: int,
        *,
        run: int = 0,
        generate: int = 0,
        streams: int = 1,
        step: int = 256,
        seconds: float = LIMITS.request_seconds,
    ) -> Looped:
        """One loop as `Loop` says, and the seconds of its parts.

        Raises ContextOverflow or RequestError for what cannot be run, DeadlineExceeded when it takes longer than
        `seconds`, and an EngineError when the child dies; after the latter two it is gone.
        """
        record = Loop(next(self._ids), prompt, run, generate, streams, step)
        running = self._running()
        running.post(record)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            answer = self._next(running, left, "decode")
            if isinstance(answer, Looped) and answer.id == record.id:
                return answer
        self._forget(running)
        raise DeadlineExceeded(f"the loop did not end within its {seconds:g} s", seconds=seconds)

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def resident(self) -> int:
        """Bytes of memory that the child holds now, mapped weights included; 0 where the system does not say."""
        kib = numbers(field(text(Path(f"/proc/{self._running().pid}/status")), "VmRSS"))
        return kib[0] * 1024 if kib else 0

    def _open(self, file: ModelFile) -> None:
        if self._context < LIMITS.context_least:
            raise RequestError(f"a context is at least {LIMITS.context_least} tokens", context=self._context)
        counts = governor.threads(probe.probe(), probe.contention()) if self._threads is None else None
        decode = counts.decode if counts else self._threads or 1
        load = Load(
            context=self._context,
            sequences=self._sequences,
            decode_threads=decode,
            prefill_threads=self._prefill_threads or (counts.prefill if counts else decode),
            sandbox=sandbox.for_model(),
        )
        started = time.monotonic()
        # a descriptor of its own: an offset that two loaders share would mislead both
        fd = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            running = self._child = child.start("linnet.worker.raw", [fd])
        finally:
            os.close(fd)
        running.post(replace(load, model_fd=fd))
        try:
            while not isinstance(self._next(running, LIMITS.start_seconds, "load"), Ready):
                continue
        except BaseException:
            self._forget(running)
            raise
        self.load_seconds = time.monotonic() - started

    def _next(self, running: child.Child, seconds: float, phase: str) -> Record | None:
        """The next record, or None if none came whole. Raises for a loop that failed and for a child that ended."""
        broken = None
        try:
            if not running.channel.wait(seconds):
                if phase == "load":
                    raise WorkerHung("the plain loops did not start in time", phase=phase)
                return None
            record = running.channel.pending()
            if isinstance(record, Failed):
                raise record.error()
            return record
        except ProtocolBroken as error:
            broken = error
            running.kill()
        except (OSError, EOFError):
            pass
        code, words = self._forget(running, kill=False)
        raise postmortem.explain(code, phase, words, broken=broken)

    def _running(self) -> child.Child:
        if self._child is None:
            raise ProtocolBroken("the plain loops are not running", hint="Open them with `with`.")
        return self._child

    def _forget(self, running: child.Child, *, kill: bool = True) -> tuple[int, str]:
        if self._child is None:
            return 0, ""
        if kill:
            running.kill()
        self._child = None
        return running.reap()
