"""The thread that ends models: one for a pool, there while anything is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Condition, Thread

from linnet.runtime.pool.resident import Happened, Slot

_TICK = 0.05
"""Seconds between two looks at processes that were told to end."""


class Keeper:
    """Ends models and releases their caches, one after the other, without holding the lock while it does.

    `changed` is the pool's lock: all methods but `join` want it held. `tend` is asked, under the lock, what else is
    to go and when to ask again, in seconds; None if nothing is in memory. `leaving` are the models that still have
    processes.
    """

    def __init__(
        self, changed: Condition, tend: Callable[[], float | None], tell: Callable[[str, Happened, str], None]
    ) -> None:
        self._changed, self._tend, self._tell = changed, tend, tell
        self._releasing: list[Slot] = []
        self._thread: Thread | None = None
        self.leaving: list[Slot] = []

    def end(self, slot: Slot) -> None:
        self.leaving.append(slot)
        self._wake()

    def release(self, slot: Slot) -> None:
        slot.releasing = True
        self._releasing.append(slot)
        self._wake()

    def _wake(self) -> None:
        self.ensure()
        self._changed.notify_all()

    def ensure(self) -> None:
        """Have the thread there, without waking it."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="linnet-keeper", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait for the thread, which ends when nothing is left to look after."""
        if (thread := self._thread) is not None:
            thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        """What to do without the lock; waits until there is something. None when nothing is left to look after."""
        with self._changed:
            while True:
                self._see_off()
                after = self._tend()
                if job := self._job():
                    return job
                if after is None and not self.leaving:
                    self._thread = None
                    return None
                self._changed.wait(_TICK if self.leaving else after)

    def _see_off(self) -> None:
        """Forget those whose processes are gone."""
        gone = [slot for slot in self.leaving if slot.closed and not slot.model.pids]
        if gone:
            self.leaving = [slot for slot in self.leaving if slot not in gone]
            self._changed.notify_all()

    def _job(self) -> Callable[[], None] | None:
        # A model that is closed under a request on its way to it would start its processes again.
        ready = (slot for slot in self.leaving if not slot.closed and not slot.submitting)
        if (slot := next(ready, None)) is not None:
            return partial(self._close, slot)
        return partial(self._release, self._releasing.pop(0)) if self._releasing else None

    def _close(self, slot: Slot) -> None:
        try:
            slot.model.close()
        except Exception as error:  # the thread must go on, for it is the only one
            self._tell(slot.name, "failed", f"closing: {error!r}")
        with self._changed:
            slot.closed = True

    def _release(self, slot: Slot) -> None:
        try:
            slot.model.release_caches()
        except Exception as error:
            self._tell(slot.name, "failed", f"releasing caches: {error!r}")
        with self._changed:
            slot.releasing = slot.cached = False
            self._changed.notify_all()
