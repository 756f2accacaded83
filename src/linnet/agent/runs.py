"""Runs: requests with an id of the caller's, that go on where the program was ended, and do nothing twice.

Hides the file, and the order of writes: each call is on the disk before its tool runs, and its outcome before the
turn goes on. So whatever ends the program, a call that has an outcome is not made again, and one without is told as
interrupted: whether it ran, nobody knows. What was decided once stands, also where the model would now decide
otherwise. One turn at a time is at work on a run: it holds a lock of the system's, which ends with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from linnet.agent.database import Database, Layout
from linnet.agent.result import Result
from linnet.errors import InputInvalid, RunUnderWay, StoreError, StoreUnavailable, ToolInterrupted
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolResult
from linnet.storage import data_folder

_LAYOUT = Layout(
    "journal of runs",
    mark=0x4C4E5231,  # "LNR1"
    version=1,
    tables=(
        "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " request TEXT NOT NULL, began REAL NOT NULL, result TEXT)",
        "CREATE TABLE IF NOT EXISTS calls (run INTEGER NOT NULL REFERENCES runs, id TEXT NOT NULL,"
        " call TEXT NOT NULL, outcome TEXT, PRIMARY KEY (run, id))",
    ),
    precious=True,
)
_CALL, _OUTCOME, _RESULT = TypeAdapter(ToolCall), TypeAdapter(ToolResult), TypeAdapter(Result)


def runs_file() -> Path:
    """Where the journal is, if nobody says otherwise."""
    return data_folder() / "runs.db"


class Runs:
    """An open journal, safe between threads and between processes."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises what `Database` raises."""
        self._database = Database(path or runs_file(), _LAYOUT)

    def close(self) -> None:
        self._database.close()

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

    def _row(self, id: str, request: str) -> tuple[int, str, str | None]:
        """Number, request and result of the run of that id, which is begun if it is new."""
        with self._database.writing() as cursor:
            row = cursor.execute("SELECT number, request, result FROM runs WHERE id = ?", (id,)).fetchone()
            if row is None:
                told = (id, request, time.time())
                cursor.execute("INSERT INTO runs (id, request, began) VALUES (?, ?, ?)", told)
                number = cursor.lastrowid or 0
                oldest = number - LIMITS.runs_kept
                cursor.execute("DELETE FROM calls WHERE run <= ?", (oldest,))
                cursor.execute("DELETE FROM runs WHERE number <= ?", (oldest,))
                row = (number, request, None)
        return row[0], row[1], row[2]

    def _made(self, id: str, number: int, result: str | None) -> Run:
        return Run(self._database, id, number, result)


@dataclass(frozen=True)
class _Begun:
    key: str
    call: ToolCall
    outcome: str | None


def _form(call: ToolCall) -> str:
    return json.dumps([call.name, call.arguments], sort_keys=True, default=str)


class Run:
    """One run. `result` is there once it has come to its end; `degraded` tells of what could not be noted."""

    def __init__(self, database: Database, id: str, number: int, result: str | None) -> None:
        self._database, self.id, self._number = database, id, number
        self._used: set[str] = set()
        self._keys: dict[str, str] = {}
        self.degraded: tuple[str, ...] = ()
        self.result = self._ended(result)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within it no other turn is at work on this run, and `result` is what is known now. Raises RunUnderWay, and
        StoreUnavailable where there can be no lock."""
        path = self._database.path
        path = path.with_name(f"{path.name}-{sha256(self.id.encode()).hexdigest()[:32]}.lock")
        lock = _locked(path)
        if lock is None:
            hint = "Ask again when it has ended: its answer is kept."
            raise RunUnderWay(f"the run {self.id!r} is under way", hint=hint, run=self.id)
        try:
            rows = self._database.read("SELECT result FROM runs WHERE number = ?", self._number)
            self.result = self._ended(rows[0][0] if rows else None)
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)

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

    def _calls(self) -> list[tuple[Any, ...]]:
        """Id, call and outcome of each that was begun, in order."""
        sql = "SELECT id, call, outcome FROM calls WHERE run = ? ORDER BY rowid"
        return self._database.read(sql, self._number)

    def enter(self, call: ToolCall) -> None:
        """Note a call that may be made, just before it is. Raises StoreError: then it is not to be made."""
        key = self._entered(call.id, _CALL.dump_json(call).decode())
        self._used.add(key)
        self._keys[call.id] = key

    def _entered(self, key: str, call: str) -> str:
        """The key that it is noted under: an earlier decision may have had its place."""
        with self._database.writing() as cursor:
            while cursor.execute("SELECT 1 FROM calls WHERE run = ? AND id = ?", (self._number, key)).fetchone():
                key += "'"
            cursor.execute("INSERT INTO calls (run, id, call) VALUES (?, ?, ?)", (self._number, key, call))
        return key

    def leave(self, done: ToolResult) -> None:
        """A call has ended. Where that cannot be noted it is told: the run cannot be continued past this call."""
        key, outcome = self._keys[done.call.id], _OUTCOME.dump_json(done).decode()
        self._noted(lambda: self._left(key, outcome))

    def end(self, result: Result) -> None:
        """The run has come to its end."""
        told = _RESULT.dump_json(result).decode()
        self._noted(lambda: self._over(told))

    def _left(self, key: str, outcome: str) -> None:
        with self._database.writing() as cursor:
            cursor.execute("UPDATE calls SET outcome = ? WHERE run = ? AND id = ?", (outcome, self._number, key))

    def _over(self, result: str) -> None:
        with self._database.writing() as cursor:
            sql = "UPDATE runs SET result = ? WHERE number = ? AND result IS NULL"
            cursor.execute(sql, (result, self._number))

    def _noted(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StoreError as error:
            self.degraded += (error.message,)


def _is_id(id: str) -> bool:
    return bool(re.fullmatch(r"[\w.:-]+", id, re.ASCII)) and len(id) <= LIMITS.run_id_chars


def _digest(history: Sequence[Message]) -> str:
    """What makes a request after one history another than after another; "" for none."""
    if not history:
        return ""
    told = json.dumps([(message.role, message.content) for message in history])
    return f"\0{sha256(told.encode()).hexdigest()}"


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of a file, None where another does. The file may go as its holder ends."""
    try:
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), path.stat()):
                    return lock
            except FileNotFoundError:
                pass
            except OSError:
                os.close(lock)
                raise
            os.close(lock)
    except BlockingIOError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"there can be no lock {path}: {error.strerror}", path=str(path)) from error
