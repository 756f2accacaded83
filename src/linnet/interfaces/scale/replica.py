"""Replica: one model with processes of its own, and the calls that it answers. Ray makes a deployment of it.

Hides that a Model is asked in threads. Each call says first which replica it is, then that it is alive, again and
again: an answer that is waited for can be told from a replica that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from linnet.errors import LinnetError, ModelNotFound
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.scale import wire
from linnet.interfaces.scale.wire import Call, Facts, write_replies
from linnet.limits import LIMITS
from linnet.requests import Begun, Capabilities, Done, Event, Request


class Resuming(Protocol):
    """A Model whose answers can go on where another process was ended, and that may be had with adapters."""

    @property
    def capabilities(self) -> Capabilities: ...

    def stream(self, request: Request, begun: Begun | None = None) -> Iterator[Event]: ...

    def with_adapter(self, text: str) -> Resuming: ...

    def original(self) -> str: ...

    def close(self) -> None: ...


class Replica:
    """`opener` opens the model, here; `id` names this replica."""

    def __init__(self, opener: Callable[[], Resuming], id: Callable[[], str]) -> None:
        self.id = id()
        base = opener()
        getattr(base, "warm", lambda: None)()  # it is there to be asked
        self._models: dict[str, Resuming] = {"": base}
        self._adapters: dict[str, str] = {}
        self._ongoing = self._answered = self._failed = self._resumed = 0
        self._tokens = {"prompt": 0, "cached": 0, "generated": 0}

    def reconfigure(self, config: Mapping[str, Any]) -> None:
        """The adapters that are on offer from now on: by name, each with a digest, and with another one it is opened
        anew. Raises a ModelError for one that is none: then those before stay."""
        base, adapters = self._models[""], dict(config.get("adapters", {}))
        kept = {name for name, digest in adapters.items() if self._adapters.get(name) == digest}
        self._models = {"": base} | {
            name: self._models[name] if name in kept else base.with_adapter(name) for name in adapters
        }
        self._adapters = adapters

    async def answer(self, data: bytes, avoided: tuple[str, ...] = ()) -> AsyncGenerator[bytes, None]:
        """`avoided` is read on the way, by whoever chooses the replica."""
        yield self.id.encode()
        asked = _Asked(self, data)
        self._ongoing += 1
        try:
            while True:
                outcomes = await asked.next(LIMITS.replica_beat_seconds)
                yield write_replies(outcomes)
                if outcomes and self._ended(outcomes[-1]):
                    return
        finally:
            self._ongoing -= 1
            asked.close()

    def events(self, data: bytes) -> Iterator[Event]:
        """Raises a LinnetError. Blocks: for a thread."""
        call: Call = wire.read_call(data)
        model = self._models.get(call.adapter)
        if model is None:
            raise ModelNotFound(f"this replica has no adapter {call.adapter[:80]!r}")
        self._resumed += call.begun is not None
        return model.stream(call.request, call.begun)

    async def facts(self) -> bytes:
        models = self._models
        original = {name: await asyncio.to_thread(model.original) for name, model in models.items()}
        needs: Sequence[Any] = getattr(models[""], "needs", tuple)()
        can = {name: model.capabilities for name, model in models.items()}
        size = max((need.size for need in needs), default=0)
        return wire.write_facts(Facts(can, original, size, getattr(models[""], "family", None)))

    async def stands(self) -> dict[str, Any]:
        """Numbers for the metrics page."""
        supervisor = getattr(self._models[""], "supervisor", None)
        health = None if supervisor is None else supervisor.health()
        return {
            "replica": self.id,
            "pid": os.getpid(),
            "worker": getattr(supervisor, "pid", None),
            "ongoing": self._ongoing,
            "answered": self._answered,
            "failed": self._failed,
            "resumed": self._resumed,
            "worker_starts": 0 if health is None else health.starts,
            "tokens": dict(self._tokens),
        }

    def close(self) -> None:
        self._models[""].close()

    def __del__(self) -> None:
        if hasattr(self, "_models"):  # else its model could not be opened
            self.close()

    def _ended(self, outcome: Event | LinnetError) -> bool:
        if isinstance(outcome, Done):
            self._answered += 1
            for kind in self._tokens:
                self._tokens[kind] += getattr(outcome.usage, f"{kind}_tokens")
        self._failed += isinstance(outcome, LinnetError)
        return isinstance(outcome, Done | LinnetError)


class _Asked:
    """One call: its events cross from the thread that waits for them into the event loop."""

    def __init__(self, replica: Replica, data: bytes) -> None:
        self._replica, self._data = replica, data
        self._loop = asyncio.get_running_loop()
        self._outcomes: asyncio.Queue[Event | LinnetError] = asyncio.Queue()
        self._events: Iterator[Event] | None = None
        self._closed = False
        threading.Thread(target=self._run, name="linnet-call", daemon=True).start()

    async def next(self, seconds: float) -> list[Event | LinnetError]:
        """What has come, at least one; none where nothing came in this time."""
        try:
            found = [await asyncio.wait_for(self._outcomes.get(), seconds)]
        except TimeoutError:
            return []
        while not self._outcomes.empty():
            found.append(self._outcomes.get_nowait())
        return found

    def close(self) -> None:
        """Cancel what still runs."""
        self._closed = True
        with contextlib.suppress(ValueError):  # a generator that runs: the flag ends it
            getattr(self._events, "close", lambda: None)()

    def _run(self) -> None:
        try:
            self._events = self._replica.events(self._data)
            if self._closed:
                self.close()
            for event in self._events:
                self._tell(event)
                if self._closed:
                    self.close()
        except BaseException as error:
            self._tell(as_ours(error))

    def _tell(self, outcome: Event | LinnetError) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._outcomes.put_nowait, outcome)
