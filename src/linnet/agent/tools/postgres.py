"""PostgreSQL's own means against everything but reading: who may be logged in, in which transaction, for how long."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from linnet.agent.driver import driven
from linnet.errors import ToolDenied, ToolFailed
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_ROW_CHARS = 16 * 1_024
"""Of one row as JSON, cut by the server."""

_TOO_MUCH = """
SELECT concat_ws(', ',
    (SELECT 'superuser' FROM pg_roles WHERE rolname IN (session_user, current_user) AND rolsuper LIMIT 1),
    (SELECT string_agg(rolname, ', ') FROM pg_roles
     WHERE rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
       AND pg_has_role(session_user, oid, 'MEMBER')),
    (SELECT string_agg(DISTINCT e.extname, ', ') FROM pg_proc p
     JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
     JOIN pg_extension e ON e.oid = d.refobjid
     WHERE e.extname IN ('dblink', 'adminpack', 'file_fdw') AND has_function_privilege(p.oid, 'EXECUTE')),
    (SELECT string_agg(lanname, ', ') FROM pg_language
     WHERE NOT lanpltrusted AND lanname NOT IN ('c', 'internal') AND has_language_privilege(oid, 'USAGE')))
"""
"""What the account may do that no read-only transaction holds back."""


def engine(url: URL) -> Engine:
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    address = driven(url)
    milliseconds = int(LIMITS.sql_seconds * 1_000)
    options = f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c lock_timeout=1000"
    given = {"options": options, "connect_timeout": 5, "application_name": "linnet"}
    return sqlalchemy.create_engine(address, poolclass=NullPool, connect_args=given)


def check(connection: Connection) -> None:
    """Raises ToolDenied for an account that may do more than a transaction can hold back."""
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    found = connection.exec_driver_sql(_TOO_MUCH).scalar()
    if found:
        hint = "Give an account that may read its tables and nothing else: CREATE ROLE reader LOGIN; GRANT SELECT ..."
        raise ToolDenied(f"the database account may do more than read: {found}", hint=hint)


def rows(connection: Connection, sql: str) -> Iterator[Mapping[str, Any]]:
    """One statement's rows. As a part of another it can be no other statement, and its rows are no longer than so: by
    itself it has to be one as well, lest it ends the other from within and goes on beside it."""
    inner = sql.strip().rstrip(";")
    row = f"left(row_to_json(linnet)::text, {_ROW_CHARS + 1})"
    whole = f"SELECT {row} FROM (\n{inner}\n) AS linnet LIMIT {LIMITS.sql_rows + 1}"
    raw = connection.connection.driver_connection
    assert raw is not None
    _prepared(raw, inner)
    with raw.cursor() as cursor:
        cursor.execute(whole, prepare=True)  # by the extended protocol, which takes one statement
        return iter([_row(text) for (text,) in cursor.fetchall()])


def _prepared(raw: Any, inner: str) -> None:
    """Raises ToolFailed for what the server does not take as a statement of its own."""
    from psycopg.pq import ExecStatus, error_message

    answer = raw.pgconn.prepare(b"", inner.encode(raw.info.encoding))
    if answer.status != ExecStatus.COMMAND_OK:
        raise ToolFailed(f"the database refused it: {' '.join(error_message(answer).split())[:300]}")


def _row(text: str) -> dict[str, Any]:
    if len(text) <= _ROW_CHARS:
        with suppress(ValueError, RecursionError):
            return dict(json.loads(text))
    return {"row": text}


def cancel(connection: Connection) -> None:
    """From another thread: ends what the server is doing for us."""
    with suppress(Exception):
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.cancel_safe(timeout=2.0)


def errors() -> tuple[type[Exception], ...]:
    import psycopg

    return (psycopg.Error, UnicodeError, ValueError)


def is_timeout(error: Exception) -> bool:
    import psycopg.errors

    return isinstance(getattr(error, "orig", error), psycopg.errors.QueryCanceled)
