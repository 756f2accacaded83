"""FleetModel: the Model protocol over several servers that have the same model and speak OpenAI's JSON.

Each request goes to the server with the fewest under way, among those that are not given up and have a seat; one that
fails before its first word goes to another. The result says who answered, who was tried, and whether two were asked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from linnet.errors import LinnetError, SettingsInvalid
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Count, Event, Request, Spell
from linnet.runtime.fleet.flight import Flight
from linnet.runtime.fleet.seats import Seats
from linnet.runtime.fleet.server import Server
from linnet.runtime.remote import RemoteModel

_AT_ONCE = 16
"""Servers that are asked at once what they have."""


class FleetModel:
    """`models` are one model on several servers. `at_once` requests are under way at each; `hedge` is after how many
    seconds without a word a second server is asked as well (None: never).

    Requests raise what RemoteModel raises, of the last server that was asked, with `tried` in its details;
    RemoteDown, with `retry_after`, while all are given up; QueueFull where too many wait. Streams are to be read in
    the order in which they were made, if there are more of them than seats. Raises SettingsInvalid.
    """

    def __init__(
        self,
        models: Sequence[RemoteModel],
        *,
        at_once: int = 16,
        hedge: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        addresses = Counter(model.address for model in models)
        if not 0 < len(models) <= LIMITS.fleet_servers or len(addresses) < len(models):
            told = f"a fleet has 1 to {LIMITS.fleet_servers} servers, each once"
            raise SettingsInvalid(told, place="remote_url", limit=LIMITS.fleet_servers)
        if at_once < 1 or (hedge is not None and hedge <= 0):
            raise SettingsInvalid(
                "a server takes at least one request, and a hedge comes later", place="remote_at_once"
            )
        hosts = Counter(model.host for model in models)
        self._servers = [
            Server(model, at_once, model.host if hosts[model.host] == 1 else model.address) for model in models
        ]
        self._hedge = hedge
        self._seats = Seats(self._servers, lambda server: server.model.check(), clock)
        first = models[0].capabilities
        others = f"+{len(models) - 1}" if len(models) > 1 else ""
        self._capabilities = replace(first, name=f"{first.name}{others}")

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def __repr__(self) -> str:
        return f"FleetModel({self._capabilities.name!r})"

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count | Spell):  # no server is asked
            return self._servers[0].model.stream(request)
        return Flight(self._seats, request, self._hedge)

    def learn(self) -> str:
        """As `RemoteModel.learn`, of all servers at once: a fleet gives likelihoods if each of them does."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            hows = list(pool.map(lambda server: server.model.learn(), self._servers))
        able = all(hows)
        if able != self._capabilities.scores:
            self._capabilities = replace(self._capabilities, scores=able)
        return " and ".join(dict.fromkeys(hows)) if able else ""

    def servers(self) -> tuple[dict[str, Any], ...]:
        """Each as it is known to be, without asking it: `server`, `state` of its circuit, `outstanding`, `answered`,
        `failures` by code, `overtaken`, `last_error`, `retry_after` in seconds."""
        return self._seats.describe()

    def look(self, seconds: float = LIMITS.fleet_probe_seconds) -> tuple[dict[str, Any], ...]:
        """Each asked for its health, one after the other: `server`, `well`, `seconds`, and `error`, described."""
        return tuple(_looked(server, seconds) for server in self._servers)

    def close(self) -> None:
        """Probe nobody any more. Requests that are under way go on."""
        if hasattr(self, "_seats"):  # else it was never made
            self._seats.close()

    __del__ = close


def _looked(server: Server, seconds: float) -> dict[str, Any]:
    started = time.monotonic()
    error: LinnetError | None = None
    try:
        server.model.check(seconds)
    except LinnetError as found:
        error = found
    took = round(time.monotonic() - started, 3)
    return {"server": server.name, "well": error is None, "seconds": took, "error": error and error.describe()}
