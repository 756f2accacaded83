"""Health: whether a worker answers, told only by what it did: a token lately, or one on probe."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, Literal

from linnet.errors import LinnetError
from linnet.limits import LIMITS
from linnet.requests import Generate, Segment

State = Literal["asleep", "loading", "ready", "unproven", "failed"]
"""`asleep`: no worker runs, the next request starts one. `unproven`: it runs, and has said no token lately.
`failed`: it was given up, and nobody has asked for another since."""


@dataclass(frozen=True)
class Health:
    """One look at a worker, which costs nothing and waits for nobody.

    `ready` is true only of a worker that has produced a token within `LIMITS.health_seconds`. `silent` are the
    seconds since its last token (None: none yet), `accepted` the requests that have not ended, `starts` and `barren`
    the starts so far and those lately without a token, `error` why the last worker was given up, described.
    """

    state: State
    silent: float | None = None
    accepted: int = 0
    starts: int = 0
    barren: int = 0
    error: dict[str, Any] | None = None

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    def describe(self) -> dict[str, Any]:
        """The one JSON form, with `ready`."""
        silent = None if self.silent is None else round(self.silent, 3)
        return {"ready": self.ready, **asdict(self), "silent": silent}


def look(
    spoke: float | None,
    counts: tuple[int, int, int],
    *,
    running: bool,
    loaded: bool,
    failure: LinnetError | None = None,
    now: float | None = None,
) -> Health:
    """Policy: what these facts make of a worker. `spoke` is when its last token came, on the monotonic clock;
    `counts` are accepted, starts and barren."""
    silent = None if spoke is None else (time.monotonic() if now is None else now) - spoke
    state: State = "ready" if silent is not None and silent <= LIMITS.health_seconds else "unproven"
    if not running:
        state = "asleep" if failure is None else "failed"
    elif not loaded:
        state = "loading"
    return Health(state, silent, *counts, failure.describe() if failure else None)


class Prober:
    """Asks a worker for one token where it has said none lately; however many ask, one token at a time."""

    def __init__(self, looked: Callable[[], Health], worker: Callable[[Generate], Any]) -> None:
        self._look, self._worker = looked, worker
        self._lock = Lock()

    def probed(self) -> Health:
        """As it is after the probe. A worker that is asleep is started; takes at most `LIMITS.probe_seconds`."""
        with self._lock:
            if not (health := self._look()).ready:
                token = Generate((Segment("a", True),), max_tokens=1, deadline=LIMITS.probe_seconds)
                with suppress(LinnetError):  # what it was is in the health that follows
                    for _ in self._worker(token):
                        pass
                health = self._look()
            return health
