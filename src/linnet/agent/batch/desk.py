"""Desk: one ledger for several replicas, any of which may die and be replaced while it runs requests.

Hides who has which request. A share of requests is taken by one attempt after another, each under a name of its own.
When another attempt takes it, the one before is gone, or is taken to be: it begins no tool and finishes nothing any
more, and what it had begun is interrupted. So a tool runs at most once, whatever the replicas believe.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.agent.batch.batch import Work
from linnet.agent.batch.ledger import Ledger
from linnet.agent.batch.lines import Asked
from linnet.agent.many import failed
from linnet.errors import InputInvalid, ToolInterrupted, WorkerCrashed
from linnet.limits import LIMITS

_LOOK = 0.2
"""Seconds between two looks at an output that another desk has."""

_ALONE = 2
"""Replicas that one request may end by itself."""


class Desk:
    """The ledger of `output`, and the requests that were taken from it in this run.

    A desk that was cut off in an earlier run may hold the output some moments longer than its driver lived: it is
    waited for. Raises as `Ledger` does.
    """

    def __init__(self, output: Path, *, resume: bool = False, retry: bool = False) -> None:
        self._ledger = _opened(output, resume)
        self._work = Work(self._ledger, retry)
        self._attempts: dict[str, str] = {}
        self._ended: set[str] = set()
        self._alone: Counter[str] = Counter()

    def take(self, attempt: str, share: Sequence[Asked]) -> tuple[list[int], bool]:
        """Which of these the attempt is to run, by their lines; and whether one at a time, because another attempt
        did not come to their end. The others have their rows now."""
        again = any(asked.key in self._attempts for asked in share)
        return [asked.line for asked in share if self._takes(attempt, asked)], again

    def _takes(self, attempt: str, asked: Asked) -> bool:
        key = asked.key
        if key in self._ended:
            return False
        taken = key in self._attempts
        if taken and self._ledger.interrupted(key):
            self._work.interrupt(asked)
        elif taken or self._work.wanted(asked):
            self._attempts[key] = attempt
            return True
        self._ended.add(key)
        return False

    def alone(self, attempt: str, asked: Asked) -> bool:
        """Whether the attempt may run this by itself. One that has ended two replicas so has failed."""
        self._check(attempt, asked.key)
        self._alone[asked.key] += 1
        if self._alone[asked.key] <= _ALONE:
            return True
        told = f"request {asked.key} has ended {_ALONE} replicas by itself"
        self._work.finish(asked, failed(WorkerCrashed(told)))
        self._ended.add(asked.key)
        return False

    def begin(self, attempt: str, key: str) -> None:
        """On the disk when this returns: a tool of the request may run. Raises ToolInterrupted for an attempt whose
        place another has taken."""
        self._check(attempt, key)
        self._ledger.begin(key)

    def finish(self, attempt: str, key: str, row: Mapping[str, Any]) -> None:
        """As `Ledger.finish` does. Raises as `begin` does."""
        self._check(attempt, key)
        self._ledger.finish(row)
        self._ended.add(key)

    def settle(self, keys: Sequence[str], ordered: bool = True) -> dict[str, int]:
        """As `Work.settle` does."""
        return self._work.settle(keys, ordered)

    def close(self) -> None:
        self._ledger.close()

    def _check(self, attempt: str, key: str) -> None:
        if self._attempts.get(key) != attempt or key in self._ended:
            raise ToolInterrupted(f"another replica was given request {key}")


def _opened(output: Path, resume: bool) -> Ledger:
    deadline = time.monotonic() + LIMITS.batch_takeover_seconds
    while True:
        try:
            return Ledger(output, resume=resume)
        except InputInvalid as error:
            if not error.details.get("held") or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)
