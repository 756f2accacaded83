"""Service: the models of a server by name, the line before them, and whether they are alive.

Hides the order in which Models are put around a model for one request: who asks, an end to it at any time, and one
deadline for waiting and working together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from linnet import requests
from linnet.agent.within import Within
from linnet.errors import DeadlineExceeded, LinnetError, ModelNotFound
from linnet.interfaces.http.client import ForClient
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.line import Line
from linnet.interfaces.http.metrics import Metrics
from linnet.interfaces.http.running import Run
from linnet.limits import LIMITS
from linnet.requests import Done, Embed, Generate, Model, Piece, Segment
from linnet.runtime.cancelling import Cancelling

if TYPE_CHECKING:
    from linnet.agent.telemetry import Telemetry

Event = TypeVar("Event")

DEFAULT = "default"


class Service:
    """`models` are those on offer, `default` among them; no other is ever opened, whatever a request says.

    `seconds` is the deadline of a request, waiting included. With `telemetry` each request has a span.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        seconds: float = LIMITS.request_seconds,
        at_once: int = LIMITS.http_at_once,
        room: int = LIMITS.http_queue,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.models = dict(models)
        self._telemetry = telemetry
        self.line = Line(at_once, room)
        self.agents = Line(at_once, room)  # of their own: a run that waits for a decision keeps no chat waiting
        self.started = time.time()
        self._seconds = seconds
        self.metrics = Metrics(self.line)
        self._runs: WeakSet[Run[Any]] = WeakSet()
        self._beat = float("-inf")
        self._probe: asyncio.Task[LinnetError | None] | None = None

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
        return ForClient(bare, owner, lambda event: self._heard(bare, event))

    def _heard(self, model: Model, event: requests.Event) -> None:
        """From the thread of whoever listens. Counting, or another model, tells nothing of the default one."""
        if isinstance(event, Done):
            self.metrics.spent(model.capabilities.name, event.usage)
        if model is self.models[DEFAULT] and _computed(event):
            self._beat = time.monotonic()

    def close(self) -> None:
        """Let nobody in any more, and refuse those that wait."""
        self.line.close()
        self.agents.close()

    def cancel(self) -> None:
        """End what still runs; whoever reads of it is told."""
        for run in list(self._runs):
            run.cancel()

    # --- health ----------------------------------------------------------------------------------

    @property
    def quiet_seconds(self) -> float:
        """Since the last token; infinite before the first."""
        return time.monotonic() - self._beat

    async def ailment(self) -> LinnetError | None:
        """What is wrong with the default model, None if a token came lately, or comes now that one is asked for."""
        age = self.quiet_seconds
        if age > LIMITS.health_fresh_seconds / 2 and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(asyncio.to_thread(self._probed))
        if age <= LIMITS.health_fresh_seconds or self._probe is None:
            return None  # a probe that was begun is for those who ask later
        error = await asyncio.shield(self._probe)
        return None if self.quiet_seconds <= LIMITS.health_fresh_seconds else error  # others may have had theirs

    def _probed(self) -> LinnetError | None:
        """Not through the line: who stands in it says nothing of the engine."""
        model, seconds = self.models[DEFAULT], LIMITS.health_probe_seconds
        try:
            answers = model.capabilities.answers
            spoken = Generate((Segment("1 2 3", False),), max_tokens=1, deadline=seconds)
            for event in model.stream(spoken if answers else Embed(("1 2 3",), deadline=seconds)):
                self._heard(model, event)
        except Exception as error:
            return as_ours(error)
        self._beat = time.monotonic()  # also where its one token ended it, and is no part of a text
        return None


def _computed(event: requests.Event) -> bool:
    """Whether a model has just computed: tokens, scores or vectors, and not those of a cache."""
    if isinstance(event, Piece):
        return bool(event.tokens)
    return not event.cached and bool(event.scores or event.vectors)
