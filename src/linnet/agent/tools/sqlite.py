"""SQLite's own means against everything but reading: how it is opened, what its authorizer allows, what ends it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from linnet.errors import ToolFailed
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_KEPT_BACK = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "regexp"}
"""Functions with effects; and `regexp`, which SQLAlchemy lends to SQLite, and which no clock could end."""
_LOOKS = {"table_list", "table_info", "table_xinfo", "read_uncommitted"}
"""Pragmas that say what there is; the last is asked for by SQLAlchemy."""
_STEPS = 10_000
"""Of SQLite's machine between two looks at the clock."""


def engine(url: URL) -> Engine:
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    file = Path(url.database or "")
    return sqlalchemy.create_engine("sqlite://", creator=lambda: _opened(file), poolclass=NullPool)


def _opened(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise ToolFailed(f"there is no database {str(file)!r}")
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=1.0, check_same_thread=False)
    until = time.monotonic() + LIMITS.sql_seconds
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    for name in ("trim", "ltrim", "rtrim"):
        connection.create_function(name, 2, _TRIMS[name], deterministic=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LIMITS.sql_value_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LIMITS.sql_value_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100)
    connection.execute("SELECT 1 FROM sqlite_schema").close()  # reads the tables, which may have more columns than
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, 100)  # a row of a result
    connection.set_authorizer(_authorised)
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    return connection


def _trimmed(strip: Callable[[str, str], str], text: Any, letters: Any) -> str | None:
    """SQLite's own trim of two arguments takes the product of their lengths in time, and no clock ends it."""
    if text is None or letters is None:
        return None
    words = (part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in (text, letters))
    return strip(next(words), "".join(set(next(words))))


_TRIMS = {
    name: partial(_trimmed, strip)
    for name, strip in (("trim", str.strip), ("ltrim", str.lstrip), ("rtrim", str.rstrip))
}


def _authorised(action: int, first: str | None, second: str | None, *where: str | None) -> int:
    """What SQLite asks while it prepares a statement, after it has read it."""
    if action in _READS or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in _KEPT_BACK):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and str(first).lower() in _LOOKS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def check(connection: Connection) -> None:
    """A file has no accounts."""


def rows(connection: Connection, sql: str) -> Iterator[Mapping[str, Any]]:
    """One statement's rows, as they come."""
    cursor = connection.connection.cursor()
    cursor.execute(sql)
    if cursor.description is None:
        raise ToolFailed("the query gives no rows", hint="Only a SELECT statement is run.")
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in iter(cursor.fetchone, None))


def cancel(connection: Connection) -> None:
    with suppress(Exception):  # it may just be ending
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.interrupt()


def errors() -> tuple[type[Exception], ...]:
    return (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError)


def is_timeout(error: Exception) -> bool:
    return "interrupted" in str(error)
