"""Blame: which request a worker's death is charged to, when starting again is given up, which inputs are refused.

Policy without a process: it is told of deaths and starts, and says who is convicted, how long to wait, and whether
the worker is given up. Company makes suspects; only a request that was alone is convicted, so suspects are tried
alone. What convicts a request is remembered for a while by a digest of its input, never by its text, but for kills
from outside.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Sequence

from pydantic import TypeAdapter

from linnet import log
from linnet.errors import LinnetError, PoisonRefused, QueueFull
from linnet.limits import LIMITS
from linnet.protocol import Submit
from linnet.requests import Request
from linnet.runtime.stream import Ticket

_FIRST_PAUSE = 0.05
"""Seconds before the start that follows a start without a token; it doubles with each further one."""

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_BESIDE = {"deadline", "sampling", "max_tokens", "owner", "stable"}


class Blame:
    """What is known of the deaths of the workers of one model."""

    def __init__(self) -> None:
        self._lost_starts = 0  # workers in a row that died by themselves before they were ready
        self._barren: deque[float] = deque()  # times of deaths without a new token since the start before
        self._poison: OrderedDict[bytes, tuple[float, str]] = OrderedDict()  # until when, and by which error

    # --- deaths ----------------------------------------------------------------------------------

    def loaded(self) -> None:
        """A worker is ready."""
        self._lost_starts = 0

    def charge(self, given: Sequence[Ticket], *, loading: bool) -> list[Ticket]:
        """A worker died by itself that had these requests: those that are convicted now."""
        self._lost_starts += loading
        for ticket in given:
            ticket.crashes += 1
            if not ticket.fresh and (not ticket.deaths or len(given) == 1):
                ticket.deaths += 1
        return [ticket for ticket in given if _guilty(ticket, alone=len(given) == 1)]

    def killed(self, given: Sequence[Ticket]) -> list[Ticket]:
        """A worker that had these requests was ended from outside, as it seems: those that are convicted now.

        One that ends its worker by a signal of its own is not told from a kill. So the kills that a request meets are
        many before it fails, and its input is not remembered.
        """
        alone = len(given) == 1
        for ticket in given:
            ticket.killed(alone=alone)
        return [ticket for ticket in given if alone and ticket.kills >= LIMITS.request_kills]

    def spent(self, *, productive: bool, now: float | None = None) -> bool:
        """Whether the worker is given up after this death; the count then begins anew."""
        now = time.monotonic() if now is None else now
        if productive:
            self._barren.clear()
        else:
            self._barren.append(now)
        while self._barren and now - self._barren[0] > LIMITS.restart_window_seconds:
            self._barren.popleft()
        spent = len(self._barren) > LIMITS.restarts or self._lost_starts >= LIMITS.request_deaths
        if spent:
            self._barren.clear()
            self._lost_starts = 0
        return spent

    @property
    def barren(self) -> int:
        """Starts without a token that count just now."""
        return len(self._barren)

    @property
    def pause(self) -> float:
        """Seconds before the next start."""
        return _FIRST_PAUSE * 2 ** len(self._barren) if self._barren else 0.0

    # --- poison ----------------------------------------------------------------------------------

    def remember(self, submit: Submit, error: LinnetError, now: float | None = None) -> None:
        """Its input has ended workers by itself."""
        log.note("convicted", code=error.code, request=submit.id)
        now = time.monotonic() if now is None else now
        self._poison[_digest(submit)] = (now + LIMITS.poison_seconds, error.code)
        while len(self._poison) > LIMITS.poisons_kept:
            self._poison.popitem(last=False)

    def admit(self, submit: Submit, accepted: int, now: float | None = None) -> None:
        """Raises QueueFull where so many are accepted already, and PoisonRefused for an input that has ended workers
        lately."""
        try:
            if accepted >= LIMITS.queue:
                raise QueueFull(f"{LIMITS.queue} requests wait already", queue=LIMITS.queue)
            self._refuse(submit, now)
        except LinnetError as error:
            log.note("refused", code=error.code, request=submit.id)
            raise

    def _refuse(self, submit: Submit, now: float | None) -> None:
        if not self._poison:  # as almost always: nothing is hashed for it
            return
        now = time.monotonic() if now is None else now
        digest = _digest(submit)
        until, code = self._poison.get(digest, (now, ""))
        if until <= now:
            self._poison.pop(digest, None)
            return
        left = round(until - now, 1)
        message = f"the same input has ended {LIMITS.request_deaths} workers ({code}); it is refused for {left:g} s"
        raise PoisonRefused(message, retry_after=left, cause=code)


def _guilty(ticket: Ticket, *, alone: bool) -> bool:
    """By two deaths without a new token in between; or by very many with tokens, the last of them alone."""
    return ticket.deaths >= LIMITS.request_deaths or (alone and ticket.crashes >= LIMITS.request_crashes)


def _digest(submit: Submit) -> bytes:
    """Of what the engine is given to read: not how long an answer may be, how it is drawn, or until when."""
    read = _REQUEST.dump_json(submit.request, exclude=_BESIDE)
    return hashlib.sha256(b"%d %s " % (len(submit.adapter), submit.adapter.encode()) + read).digest()
