"""What the engine knows of a request in the making, whatever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from linnet.protocol import Emitted
from linnet.requests import Done
from linnet.worker.batch import Lane
from linnet.worker.llama import Logits
from linnet.worker.prefix import Prefix


class Job(Protocol):
    """A request in the making: it says what is to be computed, and is told when it was.

    Of cells of the KV cache it wants `now` at once, `soon` to be held ready, and `cells` at most. It is `watched`
    where somebody waits for its next piece. The first `stable` tokens of its prompt are to be kept on disk.
    """

    id: int
    owner: str
    adapter: str
    prompt: list[int]
    stable: int
    done: Done | None
    lane: Lane

    @property
    def now(self) -> int: ...
    @property
    def soon(self) -> int: ...
    @property
    def cells(self) -> int: ...
    @property
    def sequences(self) -> int: ...
    @property
    def watched(self) -> bool: ...
    @property
    def fed(self) -> list[int]: ...
    def lanes(self) -> list[Lane]: ...
    def start(self, sequences: list[int], cached: int) -> None: ...
    def pause(self) -> bool: ...
    def draft(self, limit: int) -> None: ...
    def computed(self, lane: Lane, logits: list[Logits]) -> None: ...
    def records(self) -> list[Emitted]: ...


@dataclass(frozen=True)
class Running:
    """A job that was let in, the sequences it has, and the kept prefix that it stands on."""

    job: Job
    sequences: list[int]
    prefix: Prefix | None

    @property
    def shared(self) -> int:
        return self.prefix.length if self.prefix else 0
