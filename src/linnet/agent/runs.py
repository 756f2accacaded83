"""Runs: the journal in a file of this user's.

Hides the file, and how long a turn holds a run: a lock of the system's, which ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from linnet.agent.database import Database, Layout
from linnet.agent.journal import Journal, Run
from linnet.errors import StoreUnavailable
from linnet.limits import LIMITS
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


def runs_file() -> Path:
    """Where the journal is, if nobody says otherwise."""
    return data_folder() / "runs.db"


class Runs(Journal):
    """An open journal in a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises what `Database` raises."""
        self._database = Database(path or runs_file(), _LAYOUT)

    def close(self) -> None:
        self._database.close()

    def _row(self, id: str, request: str) -> tuple[int, str, str | None]:
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
        return FileRun(self._database, id, number, result)


class FileRun(Run):
    """One run in a file."""

    def __init__(self, database: Database, id: str, number: int, result: str | None) -> None:
        super().__init__(id, number, result)
        self._database = database

    @contextmanager
    def alone(self) -> Iterator[None]:
        """As `Run.alone`. Raises StoreUnavailable where there can be no lock."""
        path = self._database.path
        path = path.with_name(f"{path.name}-{sha256(self.id.encode()).hexdigest()[:32]}.lock")
        lock = _locked(path)
        if lock is None:
            raise self._under_way()
        try:
            rows = self._database.read("SELECT result FROM runs WHERE number = ?", self._number)
            self.result = self._ended(rows[0][0] if rows else None)
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)

    def _calls(self) -> list[tuple[Any, ...]]:
        sql = "SELECT id, call, outcome FROM calls WHERE run = ? ORDER BY rowid"
        return self._database.read(sql, self._number)

    def _entered(self, key: str, call: str) -> str:
        with self._database.writing() as cursor:
            while cursor.execute("SELECT 1 FROM calls WHERE run = ? AND id = ?", (self._number, key)).fetchone():
                key += "'"
            cursor.execute("INSERT INTO calls (run, id, call) VALUES (?, ?, ?)", (self._number, key, call))
        return key

    def _left(self, key: str, outcome: str) -> None:
        with self._database.writing() as cursor:
            cursor.execute("UPDATE calls SET outcome = ? WHERE run = ? AND id = ?", (outcome, self._number, key))

    def _over(self, result: str) -> None:
        with self._database.writing() as cursor:
            sql = "UPDATE runs SET result = ? WHERE number = ? AND result IS NULL"
            cursor.execute(sql, (result, self._number))


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
