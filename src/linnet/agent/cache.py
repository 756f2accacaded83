"""Cache: results by key in one file, bounded in bytes and in number; what was not used the longest gives way.

Hides the tables and that a result which is not what was written is no result: it is removed. What the keys and the
results are is the business of those who use it (linnet.agent.cached, linnet.agent.semantic).
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from linnet.agent.database import Database, Layout
from linnet.errors import SettingsInvalid, StoreDamaged
from linnet.limits import LIMITS
from linnet.storage import cache_folder

_LAYOUT = Layout(
    "cache",
    mark=0x4C4E4331,  # "LNC1"
    version=1,
    tables=(
        "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, body BLOB NOT NULL, digest BLOB NOT NULL,"
        " size INTEGER NOT NULL, used INTEGER NOT NULL)",
        "CREATE INDEX IF NOT EXISTS by_use ON entries (used)",
        "CREATE TABLE IF NOT EXISTS held (bytes INTEGER NOT NULL, entries INTEGER NOT NULL)",
        "INSERT INTO held SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM held)",
        "CREATE TABLE IF NOT EXISTS near (kin BLOB NOT NULL, key BLOB NOT NULL, vector BLOB NOT NULL,"
        " PRIMARY KEY (kin, key)) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS near_key ON near (key)",
    ),
)


def cache_file(name: str = "responses") -> Path:
    """Where a cache is, if nobody says otherwise."""
    return cache_folder() / f"{name}.db"


class Cache:
    """An open cache, safe between threads and between processes.

    `most_bytes` counts keys, results and vectors; SQLite's own pages come on top, about a fifth.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        most_bytes: int = LIMITS.cache_bytes,
        most_entries: int = LIMITS.cache_entries,
    ) -> None:
        """A torn file of Linnet's own is thrown away. Raises StoreDamaged for another program's, StoreUnavailable,
        and SettingsInvalid for a bound under 1."""
        if most_bytes < 1 or most_entries < 1:
            raise SettingsInvalid(f"a cache of {most_bytes} bytes and {most_entries} entries holds nothing")
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._database = _opened(path or cache_file())

    @property
    def path(self) -> Path:
        return self._database.path

    @property
    def held(self) -> int:
        """Bytes of what it holds, as `most_bytes` counts."""
        return int(self._database.read("SELECT bytes FROM held")[0][0])

    def __len__(self) -> int:
        return int(self._database.read("SELECT entries FROM held")[0][0])

    def get(self, key: bytes) -> bytes | None:
        """What was put there, if it is still as it was written. Raises StoreError."""
        rows = self._database.read("SELECT body, digest FROM entries WHERE key = ?", key)
        if not rows:
            return None
        body, digest = rows[0]
        if not isinstance(body, bytes) or _digest(body) != digest:
            self.remove(key)
            return None
        with self._database.writing() as cursor:
            cursor.execute(f"UPDATE entries SET used = {_NEXT} WHERE key = ?", (key,))
        return body

    def put(self, key: bytes, body: bytes, *, kin: bytes = b"", vector: bytes = b"") -> None:
        """Keep a result, and let go of others for it; one that is larger than the whole cache is not kept.

        With a `vector` it is also found among its `kin`. Raises StoreError.
        """
        size = len(key) + len(body) + len(kin) + len(vector)
        if size > self._most_bytes:
            return
        with self._database.writing() as cursor:
            _take(cursor, key)
            cursor.execute(
                f"INSERT INTO entries (key, body, digest, size, used) VALUES (?, ?, ?, ?, {_NEXT})",
                (key, body, _digest(body), size),
            )
            if vector:
                cursor.execute("INSERT INTO near (kin, key, vector) VALUES (?, ?, ?)", (kin, key, vector))
            cursor.execute("UPDATE held SET bytes = bytes + ?, entries = entries + 1", (size,))
            while self._over(cursor):
                oldest = cursor.execute("SELECT key FROM entries ORDER BY used LIMIT 1").fetchone()
                if oldest is None:
                    break
                _take(cursor, oldest[0])

    def remove(self, key: bytes) -> None:
        with self._database.writing() as cursor:
            _take(cursor, key)

    def near(self, kin: bytes) -> list[tuple[bytes, bytes]]:
        """`(key, vector)` of all results of one kin."""
        return [
            (key, vector) for key, vector in self._database.read("SELECT key, vector FROM near WHERE kin = ?", kin)
        ]

    def clear(self) -> None:
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM entries")
            cursor.execute("DELETE FROM near")
            cursor.execute("UPDATE held SET bytes = 0, entries = 0")
        self._database.erase()

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _over(self, cursor: sqlite3.Cursor) -> bool:
        held, entries = cursor.execute("SELECT bytes, entries FROM held").fetchone()
        return bool(held > self._most_bytes or entries > self._most_entries)


_NEXT = "(SELECT coalesce(max(used), 0) + 1 FROM entries)"


def _take(cursor: sqlite3.Cursor, key: bytes) -> None:
    cursor.execute("DELETE FROM near WHERE key = ?", (key,))
    for (size,) in cursor.execute("DELETE FROM entries WHERE key = ? RETURNING size", (key,)).fetchall():
        cursor.execute("UPDATE held SET bytes = bytes - ?, entries = entries - 1", (size,))


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _opened(path: Path) -> Database:
    try:
        return Database(path, _LAYOUT)
    except StoreDamaged as error:
        aside = error.details.get("aside")
        if aside is None:
            raise
        for torn in _files(Path(aside)):
            torn.unlink()
        return Database(path, _LAYOUT)


def _files(path: Path) -> Iterator[Path]:
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            other = path.with_name(path.name + end)
            other.stat()
            yield other
