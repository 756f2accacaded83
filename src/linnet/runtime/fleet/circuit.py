"""Circuit: whether one server may be asked, by what it did lately. A value: each event makes the next one.

Closed, it is asked. After failures in a row, or one that says that nobody is there, it is open and nobody asks it for
a while, which doubles each time up to a limit. A probe that goes well makes it half open: one request may try it, and
how that one fares closes it or opens it again. The clock is the caller's, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from linnet.limits import LIMITS

State = Literal["closed", "half-open", "open"]

FIRST_WAIT = 1.0
"""Seconds for which a circuit that was closed opens."""


@dataclass(frozen=True)
class Circuit:
    """`failures` were in a row, `opened` counts how often it opened since it was last closed, `until` is when the
    next probe is due."""

    state: State = "closed"
    failures: int = 0
    opened: int = 0
    until: float = 0.0

    def worked(self) -> Circuit:
        """A request had its first word. That of one that ran already says nothing of a server that was given up."""
        return self if self.state == "open" else Circuit()

    def failed(self, now: float, *, gone: bool = False) -> Circuit:
        """A request failed, by the server's fault; `gone` says that another one need not be tried to know it."""
        if self.state == "open":
            return self
        failures = self.failures + 1
        if gone or self.state == "half-open" or failures >= LIMITS.fleet_failures:
            return self._open(now, failures)
        return replace(self, failures=failures)

    def told_to_wait(self, now: float, seconds: float) -> Circuit:
        """The server itself asks for a while without requests; no longer than the limit is given."""
        return replace(self, state="open", until=now + min(max(0.0, seconds), LIMITS.fleet_open_seconds))

    def probed(self, now: float, well: bool) -> Circuit:
        """A probe was made of an open one."""
        if self.state != "open":
            return self
        return replace(self, state="half-open") if well else self._open(now, self.failures)

    def wait(self, now: float) -> float:
        """Seconds until it may be tried again; 0 for one that may be asked."""
        return max(0.0, self.until - now) if self.state == "open" else 0.0

    def _open(self, now: float, failures: int) -> Circuit:
        wait = min(FIRST_WAIT * 2**self.opened, LIMITS.fleet_open_seconds)
        return Circuit("open", failures, min(self.opened + 1, 32), now + wait)
