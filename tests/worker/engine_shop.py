"""An engine that is asked one thing after another, with prefixes on disk: what it was told to, and what it told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from linnet.protocol import Ended, Load, Restored, Saved, Snapshot, Submit
from linnet.requests import Done
from linnet.worker.engine import Engine
from linnet.worker.snapshots import Snapshots


class Shop:
    """An engine on an empty memory, with snapshots as files to read and a scratch to write to."""

    def __init__(self, llama: Any, scratch: int = -1, kept: tuple[Snapshot, ...] = ()) -> None:
        for sequence in range(64):
            llama.cut(sequence)
        self.snapshots = Snapshots(llama, Load(snapshots=kept, scratch=scratch))
        self.engine = Engine(llama, 64, self.snapshots)
        self.told: list[Any] = []
        self._ids = 0

    def submit(self, request: Any, emitted: tuple[int, ...] = ()) -> None:
        self._ids += 1
        self.told += self.engine.submit(Submit(self._ids, request, emitted))

    def run(self) -> None:
        for _ in range(500):
            if not self.engine.busy:
                return
            self.told += self.engine.step()
        raise AssertionError("the engine does not come to an end")

    def one(self, request: Any, emitted: tuple[int, ...] = ()) -> Done:
        self.submit(request, emitted)
        self.run()
        return next(record.done for record in reversed(self.told) if isinstance(record, Ended))

    @property
    def saved(self) -> list[Saved]:
        return [record for record in self.told if isinstance(record, Saved)]

    @property
    def restored(self) -> list[tuple[str, bool]]:
        return [(record.key, record.good) for record in self.told if isinstance(record, Restored)]


def kept(saved: Saved, fd: int, **changed: Any) -> Snapshot:
    """What a caller would hand over, straight out of the scratch."""
    whole = Snapshot("k", fd, saved.offset, saved.size, saved.digest, saved.tokens, saved.top, saved.adapter)
    return replace(whole, **changed)
