"""Journal: runs, requests with an id of the caller's, that go on where the program was ended and do nothing twice.

Hides what is made of what was noted, wherever that is kept. Each call is noted before its tool runs, and its outcome
before the turn goes on; so whatever ends the program, a call that has an outcome is not made again, and one without
is told as interrupted: whether it ran, nobody knows. What was decided once stands, also where the model would now
decide otherwise. One turn at a time is at work on a run.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter

from linnet.agent.result import Result
from linnet.errors import InputInvalid, RunUnderWay, StoreError, ToolInterrupted
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolResult

_CALL, _OUTCOME, _RESULT = TypeAdapter(ToolCall), TypeAdapter(ToolResult), TypeAdapter(Result)


class Journal(ABC):
    """Runs by their ids, safe between threads and between processes; `Runs` is a file, `SharedRuns` a server's."""

    @abstractmethod
    def close(self) -> None: ...

    def run(self, id: str, request: str, history: Sequence[Message] = ()) -> Run:
        """The run of that id: a new one, or the one that was begun. The oldest beyond the limit are gone then.

        Raises InputInvalid for what is no id, and for one under which something else was asked, or after something
        else.
        """
        request += _digest(history)
        if not _is_id(id):
            message = f"{id[:60]!r} is no id of a run: 1 to {LIMITS.run_id_chars} letters, digits and _ . : -"
            raise InputInvalid(message, hint="Choose a shorter, plainer one.")
        row = self._row(id, request)
        number, asked, result = row
        if asked != request:
            raise InputInvalid(f"the run {id!r} is about another request", hint="Give each request its own id.")
        return self._made(id, number, result)

    @abstractmethod
    def _row(self, id: str, request: str) -> tuple[int, str, str | None]:
        """Number, request and result of the run of that id, which is begun if it is new."""

    @abstractmethod
    def _made(self, id: str, number: int, result: str | None) -> Run: ...


@dataclass(frozen=True)
class _Begun:
    key: str
    call: ToolCall
    outcome: str | None


def _form(call: ToolCall) -> str:
    return json.dumps([call.name, call.arguments], sort_keys=True, default=str)


class Run(ABC):
    """One run. `result` is there once it has come to its end; `degraded` tells of what could not be noted."""

    def __init__(self, id: str, number: int, result: str | None) -> None:
        self.id, self._number = id, number
        self._used: set[str] = set()
        self._keys: dict[str, str] = {}
        self.degraded: tuple[str, ...] = ()
        self.result = self._ended(result)

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Within it no other turn is at work on this run, and `result` is what is known now. Raises RunUnderWay."""

    def _ended(self, told: str | None) -> Result | None:
        if told is None:
            return None
        result = _RESULT.validate_json(told)
        note = f"the run {self.id} had ended before: this is its answer"
        return replace(result, degraded=(*result.degraded, note))

    def known(self, call: ToolCall) -> ToolResult | None:
        """What is known of the call that was begun before where this one is wanted: then this one is not to be made.
        It is the same call, wherever it was begun, or else the one in its place; each is used once."""
        before = self._before(call)
        if before is None:
            return None
        self._used.add(before.key)
        if before.outcome is not None:
            return _OUTCOME.validate_json(before.outcome)
        error = ToolInterrupted(
            f"it is unknown whether {before.call.name} ran when the program ended, so it is not run again",
            hint="See what the tool has done; a run with another id asks anew.",
            run=self.id,
            call=before.call.id,
        )
        return ToolResult(before.call, error=error.describe())

    def _before(self, call: ToolCall) -> _Begun | None:
        begun = [_Begun(key, _CALL.validate_json(told), outcome) for key, told, outcome in self._calls()]
        free = [one for one in begun if one.key not in self._used]
        same = (one for one in free if _form(one.call) == _form(call))
        return next(same, None) or next((one for one in free if one.key == call.id), None)

    def enter(self, call: ToolCall) -> None:
        """Note a call that may be made, just before it is. Raises StoreError: then it is not to be made."""
        key = self._entered(call.id, _CALL.dump_json(call).decode())
        self._used.add(key)
        self._keys[call.id] = key

    def leave(self, done: ToolResult) -> None:
        """A call has ended. Where that cannot be noted it is told: the run cannot be continued past this call."""
        key, outcome = self._keys[done.call.id], _OUTCOME.dump_json(done).decode()
        self._noted(lambda: self._left(key, outcome))

    def end(self, result: Result) -> None:
        """The run has come to its end."""
        told = _RESULT.dump_json(result).decode()
        self._noted(lambda: self._over(told))

    def _noted(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StoreError as error:
            self.degraded += (error.message,)

    @abstractmethod
    def _calls(self) -> list[tuple[Any, ...]]:
        """Id, call and outcome of each that was begun, in order."""

    @abstractmethod
    def _entered(self, key: str, call: str) -> str:
        """The key that it is noted under: an earlier decision may have had its place."""

    @abstractmethod
    def _left(self, key: str, outcome: str) -> None: ...

    @abstractmethod
    def _over(self, result: str) -> None: ...

    def _under_way(self) -> RunUnderWay:
        hint = "Ask again when it has ended: its answer is kept."
        return RunUnderWay(f"the run {self.id!r} is under way", hint=hint, run=self.id)


def _is_id(id: str) -> bool:
    return bool(re.fullmatch(r"[\w.:-]+", id, re.ASCII)) and len(id) <= LIMITS.run_id_chars


def _digest(history: Sequence[Message]) -> str:
    """What makes a request after one history another than after another; "" for none."""
    if not history:
        return ""
    told = json.dumps([(message.role, message.content) for message in history])
    return f"\0{sha256(told.encode()).hexdigest()}"
