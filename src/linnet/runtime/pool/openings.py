"""The open models of a pool: each file once, by whatever names, with the adapters that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition

from linnet.models import naming
from linnet.runtime.pool.resident import Loadable, Slot


class Openings:
    """`slots` are the open models by their identity; who reads or changes them holds the lock, which is `changed`.

    `opener` opens a model by its name without an adapter, given the bytes that it may take (None: unknown). `check`
    raises when the pool is closed; `sleep` waits on the lock up to a time of the monotonic clock, and raises when it
    is over. `opened` is called, with the lock, when another model is open.
    """

    def __init__(
        self,
        changed: Condition,
        opener: Callable[[str, int | None], Loadable],
        check: Callable[[], None],
        sleep: Callable[[float, str], None],
        opened: Callable[[], None],
    ) -> None:
        self._changed, self._opener, self._check, self._sleep = changed, opener, check, sleep
        self._opened = opened
        self._keys: dict[str, str] = {}  # what models were called -> their identity
        self._beside: dict[str, int] = {}  # -> bytes of the adapters that they had when they were last open
        self._opening: set[str] = set()
        self.slots: dict[str, Slot] = {}

    def get(self, name: str, until: float, usable: Callable[[], int | None]) -> Slot:
        """The slot of a model, which is opened if it is not open yet; once, however many want it.

        `usable` says, under the lock, how many bytes it may take if it is opened. To be called without the lock.
        Raises what `opener`, `check` and `sleep` do, and a ModelError for an adapter that is none.
        """
        base, adapter = naming.split_adapter(name)
        while True:
            slot = self._base(base, until, usable)
            if not adapter or adapter in slot.adapted or self._adapt(slot, adapter):
                return slot

    def has(self, slot: Slot) -> bool:
        return self.slots.get(slot.key) is slot

    def remove(self, slot: Slot) -> None:
        del self.slots[slot.key]
        self._beside |= {name: slot.beside for name, key in self._keys.items() if key == slot.key}
        self._keys = {name: key for name, key in self._keys.items() if key != slot.key}

    def _base(self, name: str, until: float, usable: Callable[[], int | None]) -> Slot:
        with self._changed:
            self._check()
            while name not in self._keys and name in self._opening:
                self._sleep(until, f"{name!r} was still being opened")
            if name in self._keys:
                return self.slots[self._keys[name]]
            size = usable()
            if size is not None:
                size -= self._beside.get(name, 0)
            self._opening.add(name)
        made: Slot | None = None
        kept: Slot | None = None
        try:
            made = Slot.of(self._opener(name, size))
            with self._changed:
                self._check()
                kept = self.slots.setdefault(made.key, made)
                self._keys[name] = made.key
                self._opened()
                return kept
        finally:
            with self._changed:
                self._opening.discard(name)
                self._changed.notify_all()
            if made is not None and kept is not made:
                made.model.close()

    def _adapt(self, slot: Slot, adapter: str) -> bool:
        """Have an open model take on an adapter; False if it has been closed in between."""
        with self._changed:
            if not self.has(slot):
                return False
            slot.submitting += 1  # nobody closes it meanwhile
        try:
            adapted, needs = slot.model.with_adapter(adapter), slot.model.needs()
            with self._changed:
                slot.adapted[adapter] = adapted
                # Adapters are only ever added: of two who counted at once, the larger count is the later one.
                slot.needs = max(slot.needs, needs, key=lambda counted: counted[0].size)
                if (granted := slot.need) is not None:
                    slot.need = next(need for need in slot.needs if need.context == granted.context)
        finally:
            with self._changed:
                slot.submitting -= 1
                self._changed.notify_all()
        return True
