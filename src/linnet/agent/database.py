"""Database: a small SQLite file of Linnet's own, in WAL mode.

Hides how such a file is told from one that is torn or another program's, where a torn one goes, that one connection
serves many threads, and every error of SQLite, which becomes one of `linnet.errors`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from linnet.errors import LinnetError, StoreDamaged, StoreOverfull, StoreUnavailable
from linnet.limits import LIMITS
from linnet.storage import cache_folder, data_folder

_MAGIC = b"SQLite format 3\0"
_BESIDE = ("", "-wal", "-shm")
_TORN = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_FULL = {"SQLITE_FULL", "SQLITE_TOOBIG"}


@dataclass(frozen=True)
class Layout:
    """What is in a kind of file: its name in words, the number that marks it, its version, and its tables.

    `precious` files are checked whole when they are opened, each change is on the disk before it is told of, and
    what is deleted is overwritten; others are faster.
    """

    what: str
    mark: int
    version: int
    tables: tuple[str, ...]
    precious: bool = False


_alive: WeakSet[Database] = WeakSet()
_alive_lock = threading.Lock()


def files_in_use() -> tuple[Path, ...]:
    """The files of every Database that this process has open, with what SQLite keeps beside them."""
    with _alive_lock:
        return tuple(path for database in _alive for path in beside(database.path.absolute()))


def beside(path: Path) -> tuple[Path, ...]:
    """A file of a Database, and those that SQLite keeps beside it."""
    return tuple(path.with_name(path.name + end) for end in _BESIDE)


class Database:
    """An open file. It is made, for its owner only, if it is not there."""

    def __init__(self, path: Path, layout: Layout) -> None:
        """Raises StoreDamaged for a file that is torn or not ours: a torn one that was ours is set aside under
        another name, which the error tells, and all others are left as they are; StoreUnavailable if it cannot
        be opened."""
        self.path, self._layout = path, layout
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        with _translated(path, layout):
            self._open()
        with _alive_lock:
            _alive.add(self)

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query. `sql` is a constant; what varies goes into `values`."""
        with self._lock, _translated(self.path, self._layout):
            return self._live().execute(sql, values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """A cursor in a transaction, which holds as a whole or not at all."""
        with self._lock, _translated(self.path, self._layout):
            cursor = self._live().cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._live().in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    def erase(self) -> None:
        """See that what was deleted is nowhere in the files any more."""
        with self._lock, _translated(self.path, self._layout):
            self._live().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Closing again does nothing."""
        with _alive_lock:
            _alive.discard(self)
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _live(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailable(f"the {self._layout.what} is closed", path=str(self.path))
        return self._connection

    # --- opening -----------------------------------------------------------------------------------

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StoreUnavailable(f"{self.path} is no file", path=str(self.path))
            head = file.read(len(_MAGIC))
        if head and head != _MAGIC:
            raise self._refused("is no database", torn=True)
        self._connection = sqlite3.connect(
            self.path, timeout=LIMITS.store_wait_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._recognise(self._connection)
            self._prepare(self._connection)
        except BaseException:
            self.close()
            raise

    def _recognise(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        try:
            mark, version, tables = (
                connection.execute(sql).fetchone()[0]
                for sql in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
            )
            check = self._layout.precious and tables
            health = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if check else "ok"
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname not in _TORN:
                raise
            self.close()
            raise self._refused(f"is torn ({error})", torn=True) from error
        if mark != self._layout.mark and tables:
            raise self._refused("belongs to another program", torn=False)
        if health != "ok":
            self.close()
            raise self._refused(f"is torn ({health.splitlines()[-1]})", torn=True)
        if version > self._layout.version:
            raise StoreUnavailable(
                f"{self.path} was written by a later version of Linnet",
                hint="Use that version, or another file.",
                path=str(self.path),
                version=version,
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._layout.precious else 'NORMAL'}")
        if self._layout.precious:
            connection.execute("PRAGMA secure_delete = ON")
        with self.writing() as cursor:
            for table in self._layout.tables:
                cursor.execute(table)
            cursor.execute(f"PRAGMA application_id = {self._layout.mark}")
            cursor.execute(f"PRAGMA user_version = {self._layout.version}")

    def _refused(self, why: str, *, torn: bool) -> StoreDamaged:
        message = f"{self.path} {why}"
        aside = _aside(self.path) if torn and _ours(self.path, self._layout.mark) else None
        if aside is None:
            return StoreDamaged(message, path=str(self.path), aside=None)
        return StoreDamaged(
            f"{message}; it was set aside as {aside.name}",
            hint=f"A new {self._layout.what} is begun the next time; SQLite's `.recover` may read the old one.",
            path=str(self.path),
            aside=str(aside),
        )


def _ours(path: Path, mark: int) -> bool:
    """Whether a file that cannot be read was Linnet's: by its place, or by the mark in its head (offset 68, SQLite's
    file format)."""
    folders = (data_folder().resolve(), cache_folder().resolve())
    with path.open("rb") as file:
        head = file.read(72)
    return any(folder in path.resolve().parents for folder in folders) or head[68:72] == mark.to_bytes(4, "big")


def _aside(path: Path) -> Path | None:
    """Rename a file, with what SQLite has beside it, to a name that is free. None if another process was faster."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{path.name}.damaged-{stamp}{'' if i == 0 else f'-{i}'}" for i in range(1_000))
    target = next(other for name in names if not (other := path.with_name(name)).exists())
    try:
        for end in _BESIDE:
            with contextlib.suppress(FileNotFoundError) if end else contextlib.nullcontext():
                path.with_name(path.name + end).rename(target.with_name(target.name + end))
    except FileNotFoundError:
        return None
    return target


@contextlib.contextmanager
def _translated(path: Path, layout: Layout) -> Iterator[None]:
    try:
        yield
    except LinnetError:
        raise
    except sqlite3.Error as error:
        raise _as_ours(path, layout, error) from error
    except OSError as error:
        raise StoreUnavailable(
            f"the {layout.what} {path} cannot be opened: {error.strerror}", path=str(path)
        ) from error


def _as_ours(path: Path, layout: Layout, error: sqlite3.Error) -> LinnetError:
    name = getattr(error, "sqlite_errorname", "") or ""
    base = "_".join(name.split("_")[:2])
    if base in _TORN:
        return StoreDamaged(f"the {layout.what} {path} is torn: {error}", path=str(path), aside=None)
    if base in _FULL:
        return StoreOverfull(f"the {layout.what} {path} takes no more: {error}", path=str(path))
    return StoreUnavailable(f"the {layout.what} {path} cannot be used: {error}", path=str(path), sqlite=name)


def placeholders(values: Sequence[Any]) -> str:
    """`?, ?, ?`: one for each value of a list, which are then bound as all others are."""
    return ", ".join("?" * len(values))
