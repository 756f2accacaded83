"""Service: the models of a server by name, the line before them, and whether they are alive.

Hides the order in which Models are put around a model for one request: who asks, an end to it at any time, and one
deadline for waiting and working together. Whether one is alive is the runtime's to say (`runtime/health.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from linnet import requests
from linnet.agent.within import Within
from linnet.errors import DeadlineExceeded, LinnetError, ModelNotFound
from linnet.interfaces.http.client import ForClient
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.line import Line
from linnet.interfaces.http.metrics import Metrics
from linnet.interfaces.http.pace import Pace
from linnet.interfaces.http.running import Run
from linnet.limits import LIMITS
from linnet.models.naming import split_adapter
from linnet.requests import Done, Model
from linnet.runtime.cancelling import Cancelling
from linnet.runtime.health import Health, Watched
from linnet.runtime.pool.resident import Resident

if TYPE_CHECKING:
    from linnet.agent.telemetry import Telemetry

Event = TypeVar("Event")

DEFAULT = "default"


class Service:
    """`models` are those on offer, `default` among them; no other is ever opened, whatever a request says.

    `seconds` is the deadline of a request, waiting included. `residents` tells which models are in memory,
    `servers` how those of a fleet do. With `telemetry` each request has a span. `beside` has numbers of what is
    behind the models, for the metrics page.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        seconds: float = LIMITS.request_seconds,
        at_once: int = LIMITS.http_at_once,
        room: int = LIMITS.http_queue,
        residents: Callable[[], Iterable[Resident]] | None = None,
        telemetry: Telemetry | None = None,
        servers: Callable[[], tuple[dict[str, Any], ...]] = tuple,
        beside: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        self.models = dict(models)
        self.servers = servers
        self._beside = beside
        self._telemetry = telemetry
        self.line = Line(at_once, room)
        self.agents = Line(at_once, room)  # of their own: a run that waits for a decision keeps no chat waiting
        self.started = time.time()
        self._seconds = seconds
        self.metrics = Metrics(self.line, servers)
        self._paces = {id(model): Pace() for model in self.models.values()}
        self._residents = residents
        self._runs: WeakSet[Run[Any]] = WeakSet()
        self._probe: asyncio.Task[LinnetError | None] | None = None

    def offer(self, models: Mapping[str, Model]) -> None:
        """Have these on offer from now on, `default` among them; requests that run end with the model they have."""
        self._paces = {id(model): Pace() for model in models.values()}
        self.models = dict(models)
        self.__dict__.pop("_watched", None)

    async def figures(self) -> bytes:
        """The metrics page."""
        return self.metrics.text() + (b"" if self._beside is None else await self._beside())

    def model(self, name: str) -> Model:
        """Raises ModelNotFound with the names that there are."""
        found = self.models.get(name)
        if found is None:
            known = ", ".join(self.models)
            raise ModelNotFound(
                f"there is no model {name[:80]!r} on this server", hint=f"There are: {known}.", param="model"
            )
        return found

    def run(
        self,
        name: str,
        owner: str,
        work: Callable[[Model, Model], Iterator[Event]],
        *,
        agents: bool = False,
        stopped: Callable[[], None] = lambda: None,
    ) -> Run[Event]:
        """The events that `work(model, bare)` yields, in a thread once there is a seat, among `agents` or others;
        `bare` is the model itself, to be asked about and not to be asked. `stopped` is called in the event loop where
        it is cancelled while it runs: work that waits for somebody else has to be let go. Raises ModelNotFound,
        QueueFull or Cancelled."""
        bare = self.model(name)
        until = time.monotonic() + self._seconds
        stoppable = Cancelling(self.owned(name, owner))

        def events() -> Iterator[Event]:
            left = until - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(f"the request waited for its whole {self._seconds:g} s", seconds=self._seconds)
            try:
                stoppable.check()
                within = Within(stoppable, left)
                found = work(within, bare)
                # an agent's turn has spans of its own
                yield from found if agents or self._telemetry is None else self._telemetry.served(within, found)
            finally:
                stoppable.cancel()

        def stop() -> None:
            stopped()
            stoppable.cancel()

        run = Run(self.agents if agents else self.line, events, stop)
        self._runs.add(run)
        return run

    def owned(self, name: str, owner: str) -> ForClient:
        """A model as one client has it, outside the line. Raises ModelNotFound."""
        bare = self.model(name)
        return ForClient(bare, owner, lambda: self._ear(bare))

    def _ear(self, model: Model) -> Callable[[requests.Event], None]:
        """For the events of one request."""
        pace = self._paces.get(id(model), Pace()).ear()  # it may have been taken off since

        def hear(event: requests.Event) -> None:
            pace(event)
            self._heard(model, event)

        return hear

    def stands(self, name: str) -> dict[str, Any]:
        """What a model takes and how fast it is, as far as it is known: `loaded`, `memory_bytes` that it takes at
        most, and `tokens_per_second` of its last answers. Raises ModelNotFound."""
        model = self.model(name)
        base, _ = split_adapter(model.capabilities.name)  # one with an adapter is in the processes of the other
        loaded = None if self._residents is None else {one.name: one.bytes for one in self._residents()}
        pace = self._paces[id(model)].tokens_per_second
        return {
            "loaded": None if loaded is None else base in loaded,
            "memory_bytes": (loaded or {}).get(base),
            "tokens_per_second": None if pace is None else round(pace, 1),
        }

    def _heard(self, model: Model, event: requests.Event) -> None:
        """From the thread of whoever listens. Counting, or another model, tells nothing of the default one."""
        if isinstance(event, Done):
            self.metrics.spent(model.capabilities.name, event.usage)
        if model is self.models[DEFAULT]:
            self._watched.heard(event)

    def close(self) -> None:
        """Let nobody in any more, and refuse those that wait."""
        self.line.close()
        self.agents.close()

    def cancel(self) -> None:
        """End what still runs; whoever reads of it is told."""
        for run in list(self._runs):
            run.cancel()

    # --- health ----------------------------------------------------------------------------------

    @cached_property
    def _watched(self) -> Watched:
        return Watched(self.models[DEFAULT])

    def health(self) -> Health:
        """Of the default model, as it is."""
        return self._watched.look()

    async def ailment(self) -> LinnetError | None:
        """What is wrong with the default model, None if a token came lately, or comes now that one is asked for."""
        found = self.health()
        old = found.silent is None or found.silent > LIMITS.health_seconds / 2
        if (old or not found.ready) and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(asyncio.to_thread(self._probed))
        if found.ready or self._probe is None:
            return None  # a probe that was begun is for those who ask later
        error = await asyncio.shield(self._probe)
        return None if self.health().ready else error  # others may have had their token

    def _probed(self) -> LinnetError | None:
        """Not through the line: who stands in it says nothing of the engine."""
        try:
            self._watched.ask()
        except Exception as error:
            return as_ours(error)
        return None
