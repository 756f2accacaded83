"""Two tools over one database: rows of an SQL query, and which tables there are. They read, and can do nothing else.

Hides which means of its own each database has against writing; none of it looks at the text of the query.

- SQLite: the file is opened `mode=ro`, an authorizer allows reading and functions only (no ATTACH, PRAGMA or
  extension), the schema is not trusted, lengths are bounded, and a clock ends the statement from within.
- PostgreSQL: a read-only transaction that is always rolled back, the server's own statement timeout, one statement by
  the extended protocol, inside a subquery that bounds rows and their length. An account that could read the server's
  files, run its programs or reach other servers is refused, for no transaction holds those back.

Covered: what is above. Not covered: a hostile database file is read by SQLite in this process; what functions that
somebody defined in a PostgreSQL database do in a read-only transaction; memory and processor of its server.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from linnet.agent.tools import postgres, sqlite
from linnet.agent.tools.define import bound, define, note, text
from linnet.errors import SettingsInvalid, ToolError, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.tools import Permission, Rule, Tool

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_MEANS = {"sqlite": sqlite, "postgresql": postgres}

_TABLES = (
    r"(?:please )?(?:(?:list|show)(?: me)?(?: all)?(?: the)? tables|(?:what|which) tables are(?: there)?)"
    r"(?: (?:in|of)(?: the| my)? database)?[.?!]?"
)

_SELECT = tuple(re.compile(part, re.IGNORECASE) for part in (r"select\s+\S", r"\sfrom\s+\S"))
_WITH = tuple(re.compile(part, re.IGNORECASE) for part in (r"with\s\w", r"\sas\s*\(", r"\)", r"\sselect\s+\S"))
"""What stands in a query, in this order, the first of it at its beginning."""

_SUMMARY = 400
"""Characters of the summary of tables that the model is told."""


class Database:
    """One database, read only. `url` is as SQLAlchemy writes it: `sqlite:///staff.db`, `postgresql://user@host/name`.

    Raises SettingsInvalid for another kind of database, or where a library for it is missing. Nothing is connected to
    before the first query; every query has a connection of its own.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        try:
            parsed = sqlalchemy.make_url(url)
        except (SQLAlchemyError, ValueError):  # whose words may quote a password
            hint = "Write it as sqlite:///staff.db or postgresql://user@host:5432/name, a password escaped."
            raise SettingsInvalid("the database's address is wrong", hint=hint, place="tools.database.url") from None
        kind = parsed.get_backend_name()
        if kind not in _MEANS:
            raise SettingsInvalid(f"{kind} is not read; sqlite and postgresql are", place="tools.database.url")
        self._means = _MEANS[kind]
        self._engine: Engine = self._means.engine(parsed)

    def query(self, sql: str) -> dict[str, Any]:
        """Rows, as objects, and what was left out. Raises a ToolError."""
        with self._connected() as connection:
            return _rows(self._means.rows(connection, sql))

    def tables(self) -> dict[str, Any]:
        """The tables and views with their columns: `{"staff": ["id integer", "name text"]}`."""
        import sqlalchemy

        with self._connected() as connection:
            inspector = sqlalchemy.inspect(connection)
            names = sorted({*inspector.get_table_names(), *inspector.get_view_names()})
            shown = names[: LIMITS.sql_tables]
            found = {name: _columns(inspector.get_columns(name)) for name in shown}
        left = [f"the first {len(shown)} of {len(names)} tables"] if len(shown) < len(names) else []
        lines = "\n".join(f"- {name}: {', '.join(columns)}" for name, columns in found.items())
        return {"tables": found, "summary": lines or "none", "note": note(left)}

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection that is rolled back, and ended when its time is. Raises a ToolError for what goes wrong."""
        from sqlalchemy.exc import SQLAlchemyError

        late = threading.Event()
        try:
            with self._engine.connect() as connection:
                self._means.check(connection)
                clock = threading.Timer(LIMITS.sql_seconds, _end, (self._means, connection, late))
                clock.daemon = True
                clock.start()
                try:
                    yield connection
                finally:
                    clock.cancel()
                    connection.rollback()
        except ToolError:
            raise
        except (SQLAlchemyError, *self._means.errors()) as error:
            reason = str(getattr(error, "orig", None) or error)
            if late.is_set() or self._means.is_timeout(error):
                limit = LIMITS.sql_seconds
                raise ToolTimeout(f"the query did not end within {limit:g} s", seconds=limit) from error
            raise ToolFailed(f"the database refused it: {' '.join(reason.split())[:300]}") from error


def _end(means: Any, connection: Connection, late: threading.Event) -> None:
    late.set()
    means.cancel(connection)


def database_tools(database: Database, *, summary: bool = True) -> tuple[Tool, ...]:
    """`query_database` and `list_tables`. With `summary`, the first of them tells the model which tables there are,
    as far as that can be found out now."""
    query, tables = definitions()
    about = ""
    if summary:
        try:
            found = database.tables()["tables"]
            about = "; ".join(
                f"{name}({', '.join(c.split()[0] for c in columns)})" for name, columns in found.items()
            )
        except ToolError:
            pass  # said when it is asked
    description = f"{query.description} Tables: {_cut(about)}" if about else query.description
    answer = "{rows}{note}"
    return (
        bound(query, database.query, description=description, answer=answer),
        bound(tables, database.tables),
    )


def definitions() -> tuple[Tool, ...]:
    """The same tools without a database."""
    return (
        define(
            "query_database",
            "Reads rows from the database with an SQL query.",
            {"sql": text("one SELECT statement")},
            {},
            Permission.READ_DATABASE,
            answer="{result}",
            rules=[
                Rule(prefix="sql:", to="sql"),
                Rule(extract=_sql),
            ],
            examples=["Run SELECT name FROM staff on the database", "Query the database: SELECT count(*) FROM jobs"],
        ),
        define(
            "list_tables",
            "Lists the tables of the database and their columns.",
            {},
            {},
            Permission.READ_DATABASE,
            answer="Tables:\n{summary}{note}",
            rules=[Rule(pattern=_TABLES)],
            examples=["Which tables are in the database?", "Show me the columns of all tables"],
        ),
    )


def _sql(request: str) -> dict[str, str] | None:
    """A request that is a query, on one line. Each part is looked for once, behind the one before."""
    whole = any(_stands(parts, request) for parts in (_SELECT, _WITH))
    return {"sql": request} if whole and "\n" not in request else None


def _stands(parts: Iterable[re.Pattern[str]], request: str) -> bool:
    at = 0
    for part in parts:
        found = part.search(request, at) if at else part.match(request)
        if found is None:
            return False
        at = found.end() - 1  # its last letter may be the first of the next
    return True


# --- rows ----------------------------------------------------------------------------------------


def _rows(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """As many as a result may hold, and whether there were more."""
    kept: list[dict[str, Any]] = []
    room, cut, short = LIMITS.tool_output_bytes // 2, "", False
    for row in found:
        values = {str(name): _value(value) for name, value in row.items()}
        short = short or any(isinstance(value, str) and value.endswith(_MORE) for value in values.values())
        room -= len(json.dumps(values))
        if len(kept) == LIMITS.sql_rows or room < 0:
            cut = f"the first {len(kept):,} rows"
            break
        kept.append(values)
    told = [cut] if cut else []
    told += [f"texts are cut at {LIMITS.sql_cell_chars:,} characters"] if short else []
    return {"rows": kept, "count": len(kept), "truncated": bool(told), "note": note(told)}


_MORE = "\N{HORIZONTAL ELLIPSIS}"


def _value(value: Any) -> Any:
    """A cell as a JSON value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        value = f"base64:{base64.b64encode(bytes(value)[: LIMITS.sql_cell_chars]).decode()}"
    if isinstance(value, datetime | date | time | timedelta):
        return str(value)
    written = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return _cut(written, LIMITS.sql_cell_chars)


def _cut(written: str, most: int = _SUMMARY) -> str:
    return written if len(written) <= most else f"{written[: most - 1]}{_MORE}"


def _columns(columns: Iterable[Mapping[str, Any]]) -> list[str]:
    told = [f"{column['name']} {str(column['type']).lower()}"[:80] for column in columns]
    return told[: LIMITS.sql_columns] + ([_MORE] if len(told) > LIMITS.sql_columns else [])
