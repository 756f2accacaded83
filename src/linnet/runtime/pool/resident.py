"""What a pool knows of one model: what it takes, who uses it, whether it is in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

from linnet.errors import OutOfMemory
from linnet.hardware.budget import size
from linnet.models import naming
from linnet.models.configuration import Configuration
from linnet.requests import Capabilities, Event, Request
from linnet.runtime.health import Health
from linnet.runtime.pool.residency import Held, Need


class Loadable(Protocol):
    """What a pool asks of a model: a Model whose processes start with its first request and end with `close`.

    `identity` is the same for models that may share their processes, `pids` are those that run, `needs` is what they
    take, the largest context first, `cache_bytes` the part of it that `release_caches` gives back. `with_adapter` is
    the same model in the same processes with an adapter, whose bytes `needs` has from then on.
    """

    @property
    def configuration(self) -> Configuration | None: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def identity(self) -> str: ...

    @property
    def pids(self) -> tuple[int, ...]: ...

    @property
    def cache_bytes(self) -> int: ...

    def needs(self) -> tuple[Need, ...]: ...

    def use_context(self, context: int) -> None: ...

    def fingerprint(self) -> str: ...

    def original(self) -> str: ...

    def with_adapter(self, text: str) -> Loadable: ...

    def health(self) -> Health: ...

    def warm(self) -> None: ...

    def stream(self, request: Request) -> Iterator[Event]: ...

    def release_caches(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Resident:
    """A model in memory, for those who want to look: `bytes` are what it is expected to take at most.

    `in_use` counts the requests that run, `idle_seconds` is the time since the last of them, 0 while there are any.
    `context` and `configured` are tokens: the first is smaller where memory held no more.
    """

    name: str
    bytes: int
    pids: tuple[int, ...]
    in_use: int
    idle_seconds: float
    context: int
    configured: int


Happened: TypeAlias = Literal["loaded", "shrunk", "released", "unloaded", "refused", "failed"]
"""`shrunk`: loaded with a smaller context than configured. `released`: its caches."""


@dataclass(frozen=True)
class PoolEvent:
    """Something that happened to a model in a pool, and why; `at` in seconds since the epoch."""

    at: float
    model: str
    what: Happened
    why: str


@dataclass(eq=False)
class Slot:
    """An open model. `need` is what was granted to it, None while it has no processes.

    `cached` says that what `release_caches` would give back is counted, `releasing` that it was told to. `submitting`
    counts those who are on their way to the model: it may not be closed under them. `adapted` is the model with each
    adapter that was asked for, and `alone` the bytes of the model without any.
    """

    model: Loadable
    needs: tuple[Need, ...]
    key: str
    name: str
    alone: int
    need: Need | None = None
    cached: bool = False
    releasing: bool = False
    closed: bool = False
    adapted: dict[str, Loadable] = field(default_factory=dict)
    leases: int = 0
    submitting: int = 0
    used: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, model: Loadable) -> Slot:
        try:
            needs = model.needs()
            return cls(model, needs, model.identity, model.capabilities.name, needs[0].size)
        except BaseException:
            model.close()
            raise

    def serving(self, name: str) -> Loadable:
        """The model, with the adapter that the name has."""
        _, adapter = naming.split_adapter(name)
        return self.adapted[adapter] if adapter else self.model

    @property
    def beside(self) -> int:
        """Bytes of its adapters."""
        return self.needs[0].size - self.alone

    def capabilities(self, name: str) -> Capabilities:
        """With the context that it has now, if it is loaded, else the configured one."""
        return replace(self.serving(name).capabilities, context=(self.need or self.needs[0]).context)

    def too_large(self, usable: int | None) -> bool:
        """Whether weights stand in for the model's own that do not fit whole: then the others are to be loaded."""
        stands_in = self.need is None and self.model.capabilities.encoding
        return bool(stands_in) and usable is not None and self.needs[0].size > usable

    @property
    def size(self) -> int:
        if self.need is None:
            return 0
        return self.need.size - (0 if self.cached else self.model.cache_bytes)

    @property
    def idle(self) -> bool:
        return self.need is not None and not self.leases and not self.releasing

    @property
    def shrunk(self) -> bool:
        return self.need is not None and self.need is not self.needs[0]

    @property
    def note(self) -> str:
        """What answers tell of a reduced context; "" if it is whole."""
        if self.need is None or not self.shrunk:
            return ""
        whole = self.needs[0].context
        return f"context {self.need.context:,} of {whole:,} tokens: the memory holds no more"

    def held(self, *, leaving: bool = False) -> Held:
        state: Literal["idle", "busy", "leaving"] = "idle" if self.idle else "busy"
        if leaving or self.releasing:
            state = "leaving"
        cache = self.model.cache_bytes if self.cached else 0
        return Held(self.key, self.size, cache, state, self.used)

    def describe(self) -> Resident:
        assert self.need is not None
        idle = 0.0 if self.leases else time.monotonic() - self.used
        configured = self.needs[0].context
        return Resident(self.name, self.size, self.model.pids, self.leases, idle, self.need.context, configured)


def refusal(slot: Slot, usable: int) -> OutOfMemory:
    """Why so many bytes do not hold a model as configured, with the largest context that they would hold."""
    best, least = slot.needs[0], slot.needs[-1]
    largest = next((need.context for need in slot.needs if need.size <= usable), 0)
    wanted = f"{slot.name} with {best.context} tokens needs {size(best.size)}, {size(max(0, usable))} are usable"
    rest = f"{largest} tokens fit" if largest else f"even {least.context} tokens need {size(least.size)}"
    return OutOfMemory(
        f"{wanted}; {rest}",
        hint=f"Use a context of {largest}." if largest else "Use a smaller model, or a smaller quantisation.",
        context=best.context,
        largest=largest,
        needed_bytes=best.size,
        usable_bytes=max(0, usable),
    )
