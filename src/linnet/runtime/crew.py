"""Many pieces of work at once, their outcomes in order: a bounded crew of threads, and as bounded a look ahead.

Hides the threads, and in which order they work: pieces that are alike come one after the other, in sweeps, so that
none of them waits for ever.
"""

from __future__ import annotations

import threading
from bisect import bisect, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def in_order(
    items: Iterable[Item],
    work: Callable[[int, Item], Outcome],
    *,
    at_once: int,
    ahead: int,
    alike: Callable[[Item], str] = lambda item: "",
) -> Iterator[Outcome]:
    """`work(index, item)` for each item, in `at_once` threads; outcomes in the order of the items.

    Items are read in the caller's thread, no more than `ahead` of the outcome that comes next, and worked on in the
    order of `alike`. What `work` raises is raised here, in its place. Closing this leaves what is not begun; what is
    being worked on goes on in its threads until it ends.
    """
    crew = _Crew(work, at_once)
    source = enumerate(items)
    given = taken = 0
    try:
        while True:
            while given - taken < ahead and (pair := next(source, None)) is not None:
                crew.give((alike(pair[1]), pair[0]), pair[1])
                given += 1
            if taken == given:
                return
            yield crew.take(taken)
            taken += 1
    finally:
        crew.dismiss()


class _Crew(Generic[Item, Outcome]):
    """Threads that take the piece next in order, begin anew after the last one, and leave when dismissed."""

    def __init__(self, work: Callable[[int, Item], Outcome], at_once: int) -> None:
        self._work, self._at_once = work, at_once
        self._changed = threading.Condition()
        self._order: list[tuple[str, int]] = []
        self._items: dict[int, Item] = {}
        self._ended: dict[int, tuple[Outcome | None, BaseException | None]] = {}
        self._last = ("", -1)
        self._threads = self._idle = 0
        self._dismissed = False

    def give(self, place: tuple[str, int], item: Item) -> None:
        with self._changed:
            insort(self._order, place)
            self._items[place[1]] = item
            if self._idle < len(self._order) and self._threads < self._at_once:
                self._threads += 1
                threading.Thread(target=self._labour, name="linnet-crew", daemon=True).start()
            self._changed.notify_all()

    def take(self, index: int) -> Outcome:
        with self._changed:
            self._changed.wait_for(lambda: index in self._ended)
            outcome, error = self._ended.pop(index)
        if error is not None:
            raise error
        return outcome  # type: ignore[return-value]

    def dismiss(self) -> None:
        with self._changed:
            self._dismissed = True
            self._changed.notify_all()

    def _labour(self) -> None:
        while (index := self._next()) is not None:
            try:
                ended: tuple[Outcome | None, BaseException | None] = (self._work(index, self._items.pop(index)), None)
            except BaseException as error:  # the caller's to see
                ended = (None, error)
            with self._changed:
                self._ended[index] = ended
                self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._dismissed or self._order)
            self._idle -= 1
            if self._dismissed:
                return None
            place = bisect(self._order, self._last) % len(self._order)
            self._last = self._order.pop(place)
            return self._last[1]
