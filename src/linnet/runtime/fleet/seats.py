"""Seats: who of a fleet's requests is at which server, and who waits, first come, first served.

Hides the lock, and that a server which is given up, or in doubt, is probed by a thread of its own: one that lives as
long as there is such a one, so that a fleet which is well sends nothing but what it is asked.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from linnet.errors import DeadlineExceeded, LinnetError, QueueFull, RemoteDown, RemoteUnreachable
from linnet.limits import LIMITS
from linnet.runtime.fleet.balance import least_outstanding
from linnet.runtime.fleet.server import Server

_LOOK_AGAIN = 0.5
"""Seconds after which one that waits looks by itself, whatever it is told."""


class Seats:
    """Of these servers. `probe` raises a LinnetError for one that is not well; `clock` is in seconds."""

    def __init__(
        self,
        servers: Sequence[Server],
        probe: Callable[[Server], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers, self._probe, self._clock = tuple(servers), probe, clock
        self._changed = threading.Condition()
        self._waiting: list[Collection[Server]] = []
        self._turn = 0
        self._prober: threading.Thread | None = None
        self._closed = threading.Event()

    def take(self, tried: Collection[Server] = ()) -> Server | None:
        """A server that was not tried, at once; None where none is free. Raises RemoteDown where all are given up."""
        with self._changed:
            return self._taken(tried, self._waiting)

    def wait(self, tried: Collection[Server], until: float, allowed: float, wanted: Callable[[], None]) -> Server:
        """The same, however long it takes. Raises QueueFull, RemoteDown, DeadlineExceeded at `until`, and what
        `wanted` raises once nobody waits for it any more."""
        with self._changed:
            if len(self._waiting) >= LIMITS.fleet_waiting:
                raise QueueFull(f"{len(self._waiting)} requests wait for a server", limit=LIMITS.fleet_waiting)
            own = list(tried)
            self._waiting.append(own)
            try:
                while (server := self._taken(own, self._before(own))) is None:
                    wanted()
                    if (left := until - time.monotonic()) <= 0:
                        told = f"the request waited for a server for its whole {allowed:g} s"
                        raise DeadlineExceeded(told, seconds=allowed)
                    self._changed.wait(min(left, _LOOK_AGAIN))
                return server
            finally:
                self._waiting = [one for one in self._waiting if one is not own]
                self._changed.notify_all()

    def _before(self, own: Collection[Server]) -> list[Collection[Server]]:
        return self._waiting[: next(n for n, one in enumerate(self._waiting) if one is own)]

    def _taken(self, tried: Collection[Server], before: Sequence[Collection[Server]]) -> Server | None:
        """What those who came before may take is theirs."""
        turns = self._servers[self._turn :] + self._servers[: self._turn]
        left = [server for server in turns if server not in tried]
        if all(server.circuit.state == "open" for server in left):
            self._watch()
            raise self._down(left)
        free = [server for server in left if server.free and not any(server not in one for one in before)]
        if not free:
            return None
        server = free[least_outstanding([one.outstanding for one in free])]
        self._turn = self._servers.index(server) + 1
        server.outstanding += 1
        return server

    def _down(self, left: Sequence[Server]) -> RemoteDown:
        """Of those that the request has not been to, for it goes to none twice."""
        now = self._clock()
        after = min((server.circuit.wait(now) for server in left), default=0.0)
        told = "; ".join(f"{server.name}: {server.describe(now)['last_error'] or 'open'}" for server in left[:8])
        message = f"none of {len(left)} servers may be asked for {after:.1f} s: {told}"
        states = [server.describe(now) for server in self._servers]
        return RemoteDown(message, retry_after=round(after, 1), servers=states)

    # --- what came of it -------------------------------------------------------------------------

    def began(self, server: Server) -> None:
        """Its first word came."""
        with self._changed:
            server.circuit = server.circuit.worked()
            server.answered += 1
            self._changed.notify_all()

    def left(
        self, server: Server, error: LinnetError | None = None, *, begun: bool = False, overtaken: bool = False
    ) -> None:
        """A request is no longer there: it ended, was dropped, was overtaken by another server's, or failed."""
        with self._changed:
            server.left()
            server.overtaken += overtaken
            if overtaken:  # no failure, and perhaps it hangs: only a look at its health can tell
                server.suspect = True
            if error is not None:
                server.failed(error, self._clock(), begun)
            self._watch()
            self._changed.notify_all()

    def describe(self) -> tuple[dict[str, Any], ...]:
        with self._changed:
            now = self._clock()
            return tuple(server.describe(now) for server in self._servers)

    # --- those that are given up -----------------------------------------------------------------

    def close(self) -> None:
        """No more probes."""
        self._closed.set()

    def _watch(self) -> None:
        doubtful = any(server.to_probe for server in self._servers)
        alive = self._prober is not None and self._prober.is_alive()
        if doubtful and not alive and not self._closed.is_set():
            self._prober = threading.Thread(target=self._probes, name="linnet-fleet", daemon=True)
            with contextlib.suppress(RuntimeError):  # no room for a thread just now: the next request tries again
                self._prober.start()

    def _probes(self) -> None:
        while (server := self._next_due()) is not None:
            wait = server.circuit.wait(self._clock())
            if wait > 0:
                if self._closed.wait(min(wait, 1.0)):
                    return
                continue
            error: LinnetError | None = None
            try:
                self._probe(server)
            except LinnetError as found:
                error = found
            except Exception as found:  # whatever it is: without this thread none would ever be asked again
                error = RemoteUnreachable(f"its health could not be asked for: {found!r}")
            with self._changed:
                server.probed(self._clock(), error)
                self._changed.notify_all()

    def _next_due(self) -> Server | None:
        """None where nothing is in doubt, and then the thread ends."""
        with self._changed:
            doubtful = [server for server in self._servers if server.to_probe]
            if not doubtful or self._closed.is_set():
                self._prober = None
                return None
            return min(doubtful, key=_due)


def _due(server: Server) -> float:
    """When its probe is due. Not how long that is still to wait: 0 for all that are late, and then the first of the
    list would always be the next."""
    return server.circuit.until if server.circuit.state == "open" else 0.0
