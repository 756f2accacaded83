"""A thread that notes what this process and a model's processes hold, while something runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from linnet.hardware.process import Held, held

PERIOD = 0.01
"""Seconds between two looks."""


@dataclass(frozen=True)
class Sample:
    """Memory at one moment, in seconds on the caller's clock; of the workers together."""

    at: float
    caller: Held
    workers: Held


class Sampler:
    """Looks every `PERIOD` within a `with` block, at the model's processes once `model` is set.

    `load` is when its worker was first seen, and first seen to be ready: each up to a period late.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="linnet-sampler", daemon=True)
        self._seen: float | None = None
        self._peaks: dict[int, int] = {}
        self.model: Any = None
        self.samples: list[Sample] = []
        self.load: tuple[float, float] | None = None

    @property
    def peak(self) -> int:
        """Bytes: the most that each worker was ever seen to have held, together."""
        return sum(self._peaks.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            started = time.monotonic()
            self._look()
            if self._over.wait(max(0.0, PERIOD - (time.monotonic() - started))):
                return

    def _look(self) -> None:
        at = self._now()
        workers = Held()
        for pid in getattr(self.model, "pids", ()):
            if (one := held(pid)) is not None:
                self._peaks[pid] = max(one.peak, self._peaks.get(pid, 0))
                workers += one
        self.samples.append(Sample(at, held(os.getpid()) or Held(), workers))
        self._look_at_load(at)

    def _look_at_load(self, at: float) -> None:
        supervisor = getattr(self.model, "supervisor", None)
        if supervisor is None or self.load is not None:
            return
        if self._seen is None and supervisor.pid is not None:
            self._seen = at
        if self._seen is not None and supervisor.ready is not None:
            self.load = (self._seen, at)
