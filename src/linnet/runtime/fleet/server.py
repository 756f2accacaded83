"""Server: one server of a fleet as the fleet knows it. No lock of its own: the fleet's is held."""

from __future__ import annotations

from collections import Counter
from typing import Any

from linnet.errors import LinnetError
from linnet.runtime.fleet.circuit import Circuit
from linnet.runtime.fleet.verdict import verdict
from linnet.runtime.remote import RemoteModel


class Server:
    """`at_once` requests may be under way at it. `name` is its host and port, or its address where two share those.
    `suspect` says that a deadline passed without a word of it: a probe tells a slow server from one that hangs."""

    def __init__(self, model: RemoteModel, at_once: int, name: str) -> None:
        self.model, self.name = model, name
        self.circuit = Circuit()
        self.outstanding = self.answered = self.overtaken = 0
        self.suspect = False
        self._older = 0  # of those under way, the requests from before it became half open
        self.failures: Counter[str] = Counter()
        self._at_once = at_once
        self._last = ""

    @property
    def free(self) -> bool:
        """One that was given up is tried by one request at a time, beside the long answers from before."""
        if self.outstanding >= self._at_once or self.circuit.state == "open":
            return False
        return self.circuit.state == "closed" or self.outstanding <= self._older

    def left(self) -> None:
        """A request is no longer there. Which one is not known: it counts as an older one, so that there are too few
        trials rather than too many."""
        self.outstanding -= 1
        self._older = max(0, self._older - 1)

    def failed(self, error: LinnetError, now: float, begun: bool) -> None:
        found = verdict(error, begun)
        if found.wait is not None:
            self.circuit = self.circuit.told_to_wait(now, found.wait)
        elif found.fault:
            self.circuit = self.circuit.failed(now, gone=found.gone)
        if found.fault or found.wait is not None:
            self.failures[error.code] += 1
            self._last = error.message
        self.suspect = self.suspect or found.suspect

    @property
    def to_probe(self) -> bool:
        return self.suspect or self.circuit.state == "open"

    def probed(self, now: float, error: LinnetError | None) -> None:
        if self.suspect and error is not None:
            self.circuit, self._last = self.circuit.failed(now, gone=True), error.message
        else:
            if self.circuit.state == "open" and error is None:
                self._older = self.outstanding
            self.circuit = self.circuit.probed(now, error is None)
        self.suspect = False

    def describe(self, now: float) -> dict[str, Any]:
        """The one JSON form. `overtaken` counts its requests that a second server answered first."""
        return {
            "server": self.name,
            "state": self.circuit.state,
            "outstanding": self.outstanding,
            "at_once": self._at_once,
            "answered": self.answered,
            "failures": dict(self.failures),
            "overtaken": self.overtaken,
            "last_error": self._last,
            "retry_after": round(self.circuit.wait(now), 1),
        }
