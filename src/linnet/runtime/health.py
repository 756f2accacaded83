"""Health: whether a model answers, told only by what it did: a token lately, or one on probe.

The one place where that is decided, for a worker of this machine as for a model that is somewhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, Literal

from linnet.errors import LinnetError
from linnet.limits import LIMITS
from linnet.requests import Done, Embed, Event, Generate, Model, Piece, Segment

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


def question(answers: bool = True) -> Generate | Embed:
    """The least that makes a model compute: one token, or a vector where it only makes those."""
    if answers:
        return Generate((Segment("1 2 3", False),), max_tokens=1, deadline=LIMITS.probe_seconds)
    return Embed(("1 2 3",), deadline=LIMITS.probe_seconds)


class Prober:
    """Asks a worker for one token where it has said none lately; however many ask, one token at a time."""

    def __init__(self, looked: Callable[[], Health], worker: Callable[[Any], Any], answers: bool = True) -> None:
        self._look, self._worker, self._answers = looked, worker, answers
        self._lock = Lock()

    def probed(self) -> Health:
        """As it is after the probe. A worker that is asleep is started; takes at most `LIMITS.probe_seconds`."""
        with self._lock:
            if not (health := self._look()).ready:
                with suppress(LinnetError):  # what it was is in the health that follows
                    for _ in self._worker(question(self._answers)):
                        pass
                health = self._look()
            return health


class Watched:
    """The health of any Model: that of its worker where it tells of one (`health()`), else by what it is heard to do.

    Any thread may tell and ask.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._own: Callable[[], Health] | None = getattr(model, "health", None)
        self._spoke: float | None = None

    def heard(self, event: Event) -> None:
        """Something that it sent; what it did not compute tells nothing."""
        if _computed(event):
            self._spoke = time.monotonic()

    def look(self) -> Health:
        """Waits for nobody, and starts nothing."""
        return self._own() if self._own else look(self._spoke, (0, 0, 0), running=True, loaded=True)

    def ask(self) -> None:
        """Have it compute now. Raises what came in place of a token; takes at most `LIMITS.probe_seconds`."""
        for event in self._model.stream(question(self._model.capabilities.answers)):
            self.heard(event)
        self._spoke = time.monotonic()  # also where its one token ended it, and is no part of a text


def _computed(event: Event) -> bool:
    """Whether a model has just computed: tokens, scores or vectors, and not those of a cache."""
    if isinstance(event, Piece):
        return bool(event.tokens)
    return isinstance(event, Done) and not event.cached and bool(event.scores or event.vectors)
