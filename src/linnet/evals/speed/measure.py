"""What was measured: values of each round, the peer's in the same round, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from linnet.requests import Done, Generate, Model, Usage
from linnet.runtime.rawloop import Spread, spread


class NotMeasured(Exception):
    """A case that this model or this machine does not allow; the text says why."""


@dataclass(frozen=True)
class Measure:
    """One thing measured in rounds. `values` are in `unit`, `better` says which way they should go.

    `at` is what it was measured at: a length of prompt in tokens, a number of streams; 0 for nothing of the kind.
    `against` has the value of the `peer` in each of the same rounds. `usage` counts the tokens of all requests that
    were made for it, warming up included, and `note` says what else a reader should know.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    better: str = "more"
    at: int = 0
    peer: str = ""
    against: tuple[float, ...] = ()
    usage: Usage = Usage()
    note: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} {self.at:,}" if self.at else self.name

    @property
    def spread(self) -> Spread:
        return spread(self.values)

    @property
    def ratio(self) -> Spread | None:
        """Ours to the peer's, round by round: what disturbed a round disturbed both. None without a peer."""
        if not self.against:
            return None
        return spread([ours / theirs for ours, theirs in zip(self.values, self.against, strict=True)])

    def describe(self) -> dict[str, Any]:
        """The one JSON form; `ratio` and `peer` only where there is a peer."""
        told: dict[str, Any] = {"name": self.name, "at": self.at or None, "unit": self.unit, "better": self.better}
        told |= {"median": self.spread.median, "spread": [self.spread.low, self.spread.high]}
        told |= {"repeats": len(self.values), "values": list(self.values), "usage": asdict(self.usage)}
        if self.ratio:
            held = spread(self.against)
            told["peer"] = {"name": self.peer, "median": held.median, "spread": [held.low, held.high]}
            told["ratio"] = {"median": self.ratio.median, "spread": [self.ratio.low, self.ratio.high]}
        return told | ({"note": self.note} if self.note else {})


# --- one request, watched ------------------------------------------------------------------------


@dataclass(frozen=True)
class Watched:
    """When the tokens of one answer came: `(seconds since an arbitrary start, how many)`, in order.

    `begun` and `ended` are on the same clock.
    """

    begun: float
    arrivals: tuple[tuple[float, int], ...]
    ended: float
    done: Done

    @property
    def first(self) -> float:
        """Seconds until the first token was here. Raises NotMeasured for an answer without one."""
        if not self.arrivals:
            raise NotMeasured("the answer has no token")
        return self.arrivals[0][0] - self.begun

    @property
    def seconds(self) -> float:
        return self.ended - self.begun

    def streamed(self) -> tuple[int, float]:
        """Tokens behind the first arrival, and the seconds that they took. Raises NotMeasured for none."""
        count = sum(tokens for _, tokens in self.arrivals[1:])
        if not count:
            raise NotMeasured("the answer ends with its first token")
        return count, self.arrivals[-1][0] - self.arrivals[0][0]


def watch(model: Model, request: Generate, clock: Any) -> Watched:
    """Make a request and note when its tokens arrive; `clock` tells the seconds."""
    begun = clock()
    arrivals: list[tuple[float, int]] = []
    for event in model.stream(request):
        now = clock()
        if isinstance(event, Done):
            return Watched(begun, tuple(arrivals), now, event)
        if event.tokens:
            arrivals.append((now, len(event.tokens)))
    raise AssertionError("a Model's stream ended without Done")


def together(watched: list[Watched]) -> tuple[int, float]:
    """Tokens of several answers, and seconds, from when the last of them began until the first of them ended.

    In between all were running. Raises NotMeasured if that was never so.
    """
    if not all(one.arrivals for one in watched):
        raise NotMeasured("an answer has no token")
    start = max(one.arrivals[0][0] for one in watched)
    end = min(one.arrivals[-1][0] for one in watched)
    count = sum(tokens for one in watched for when, tokens in one.arrivals if start < when <= end)
    if end <= start or not count:
        raise NotMeasured(f"{len(watched)} answers were never being decoded at the same time")
    return count, end - start


def usage_of(watched: Iterator[Watched] | list[Watched]) -> Usage:
    return sum((one.done.usage for one in watched), Usage())
