"""SharedRuns: the journal of runs in a PostgreSQL, for turns on many machines. No call is made twice, wherever.

Hides the server and what may become of it. A run is claimed by one row, with a lease that its holder renews; a claim
that is taken over has a new number, and whoever had the old one can note no call any more, so makes none. A server
that is gone is waited for, `LIMITS.journal_seconds` at most, and what was being noted then is noted once.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from linnet.agent.driver import driven
from linnet.agent.journal import Journal, Run
from linnet.errors import RunUnderWay, SettingsInvalid, StoreUnavailable
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Value = TypeVar("Value")

_TABLES = (
    "CREATE TABLE IF NOT EXISTS linnet_runs (number BIGSERIAL PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " request TEXT NOT NULL, began TIMESTAMPTZ NOT NULL DEFAULT now(), result TEXT,"
    " claim BIGINT NOT NULL DEFAULT 0, holder TEXT, seen TIMESTAMPTZ)",
    "CREATE TABLE IF NOT EXISTS linnet_calls (place BIGSERIAL, run BIGINT NOT NULL"
    " REFERENCES linnet_runs ON DELETE CASCADE, id TEXT NOT NULL, call TEXT NOT NULL, outcome TEXT,"
    " mark TEXT NOT NULL, PRIMARY KEY (run, id))",
)
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7316004219)"
"""Of the first starts of many machines: two that make a table at once would disturb each other."""
_ROW = "SELECT number, request, result FROM linnet_runs WHERE id = :id"
_BEGIN = "INSERT INTO linnet_runs (id, request) VALUES (:id, :request) ON CONFLICT DO NOTHING RETURNING number"
_FORGET = (
    "DELETE FROM linnet_runs WHERE number <="
    " (SELECT number FROM linnet_runs ORDER BY number DESC OFFSET :kept LIMIT 1)"
    " AND (holder IS NULL OR seen < clock_timestamp() - :lease * interval '1 second')"
)
"""Runs are counted, not their numbers, which asks in vain use up; one that is under way stays."""
_CLAIM = (
    "UPDATE linnet_runs SET holder = :holder, claim = claim + 1, seen = clock_timestamp() WHERE number = :run"
    " AND (holder IS NULL OR holder = :holder OR seen < clock_timestamp() - :lease * interval '1 second')"
    " RETURNING claim"
)
_RENEW = "UPDATE linnet_runs SET seen = clock_timestamp() WHERE number = :run AND claim = :claim RETURNING 1"
_RELEASE = "UPDATE linnet_runs SET holder = NULL WHERE number = :run AND claim = :claim"
_ENTER = (
    "INSERT INTO linnet_calls (run, id, call, mark) SELECT number, :id, :call, :mark FROM linnet_runs"
    " WHERE number = :run AND claim = :claim FOR UPDATE ON CONFLICT DO NOTHING"
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class SharedRuns(Journal):
    """A journal at an address such as `postgresql://linnet@db/linnet`, whose account may make tables there."""

    def __init__(self, url: str) -> None:
        """Raises SettingsInvalid for an address that is none, and StoreUnavailable."""
        self._server = _Server(url)
        try:
            self._server.do(lambda connection: [_run(connection, sql) for sql in (_ONE_AT_A_TIME, *_TABLES)])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._server.close()

    def _row(self, id: str, request: str) -> tuple[int, str, str | None]:
        """The request is told by its digest: it may hold what no text of a PostgreSQL may."""
        digest = sha256(request.encode(errors="surrogatepass")).hexdigest()

        def found(connection: Connection) -> tuple[int, str, str | None]:
            row = _run(connection, _ROW, id=id).first()
            if row is None:
                if _run(connection, _BEGIN, id=id, request=digest).first():
                    _run(connection, _FORGET, kept=LIMITS.runs_kept, lease=LIMITS.journal_lease_seconds)
                row = _run(connection, _ROW, id=id).one()
            return row[0], request if row[1] == digest else "", row[2]

        return self._server.do(found)

    def _made(self, id: str, number: int, result: str | None) -> Run:
        return SharedRun(self._server, id, number, result)


class SharedRun(Run):
    """One run, on whatever machine. The times that count are the server's."""

    def __init__(self, server: _Server, id: str, number: int, result: str | None) -> None:
        super().__init__(id, number, result)
        self._server = server
        self._claim = 0

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """As `Run.alone`, among all machines: another turn may take over where this one's machine was not heard of
        for `LIMITS.journal_lease_seconds`, and this one then makes no further call."""
        own = {"run": self._number, "holder": secrets.token_hex(8), "lease": LIMITS.journal_lease_seconds}
        row = self._server.do(lambda connection: _run(connection, _CLAIM, **own).first())
        if row is None:
            raise self._under_way()
        self._claim = row[0]
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(over,), name="linnet-lease", daemon=True)
        keeper.start()
        try:
            sql = "SELECT result FROM linnet_runs WHERE number = :run"
            found = self._server.do(lambda connection: _run(connection, sql, run=self._number).first())
            self.result = self._ended(found[0] if found else None)
            yield
        finally:
            over.set()
            keeper.join()
            with contextlib.suppress(StoreUnavailable):  # then the lease runs out
                self._server.do(lambda connection: _run(connection, _RELEASE, **self._own()), seconds=0)

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(LIMITS.journal_lease_seconds / 4):
            with contextlib.suppress(StoreUnavailable):  # it may come back before the lease is over
                self._server.do(lambda connection: _run(connection, _RENEW, **self._own()), seconds=0)

    def _own(self) -> dict[str, Any]:
        return {"run": self._number, "claim": self._claim}

    def _calls(self) -> list[tuple[Any, ...]]:
        sql = "SELECT id, call, outcome FROM linnet_calls WHERE run = :run ORDER BY place"
        rows = self._server.do(lambda connection: _run(connection, sql, run=self._number).all())
        return [tuple(row) for row in rows]

    def _entered(self, key: str, call: str) -> str:
        """Raises RunUnderWay where another turn has taken the run over: then the call is not to be made."""
        mark = secrets.token_hex(8)  # so that it is known where a server was lost that had noted it

        def enter(connection: Connection) -> str:
            at = key
            while True:
                _run(connection, _ENTER, **self._own(), id=at, call=call, mark=mark)
                sql = "SELECT mark FROM linnet_calls WHERE run = :run AND id = :id"
                row = _run(connection, sql, run=self._number, id=at).first()
                if row is None:
                    message = f"the run {self.id!r} was taken over by another turn"
                    raise RunUnderWay(message, hint="Ask again: its answer is kept.", run=self.id)
                if row[0] == mark:
                    return at
                at += "'"

        return self._server.do(enter)

    def _left(self, key: str, outcome: str) -> None:
        """Also where the claim was lost since: what came of a call that was made is worth knowing."""
        sql = "UPDATE linnet_calls SET outcome = :outcome WHERE run = :run AND id = :id AND outcome IS NULL"
        given = {"run": self._number, "id": key, "outcome": outcome}
        self._server.do(lambda connection: _run(connection, sql, **given))

    def _over(self, result: str) -> None:
        """Raises StoreUnavailable where another turn has taken the run over: its answer is the one that is kept."""
        sql = (
            "UPDATE linnet_runs SET result = :result WHERE number = :run AND claim = :claim"
            " AND (result IS NULL OR result = :result)"
        )
        kept = self._server.do(lambda connection: _run(connection, sql, result=result, **self._own()).rowcount)
        if not kept:
            raise StoreUnavailable("another turn has taken the run over: this answer is not kept")


class _Server:
    """Transactions, each tried until the server is there, or has been gone for too long."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    def do(self, work: Callable[[Connection], Value], seconds: float | None = None) -> Value:
        """What `work` returns, once it is committed. It may be done more than once. Raises StoreUnavailable where the
        server was gone for so long."""
        import sqlalchemy.exc

        until = time.monotonic() + (LIMITS.journal_seconds if seconds is None else seconds)
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
                if not _gone(error) or time.monotonic() + pause > until:
                    told = " ".join(str(getattr(error, "orig", error)).split())[:200]
                    raise StoreUnavailable(f"the journal of runs cannot be reached: {told}") from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        self._engine.dispose()


def _gone(error: Exception) -> bool:
    """Whether it may be otherwise soon: the server is away, or all connections are taken."""
    import sqlalchemy.exc

    away = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)
    return isinstance(error, away) or bool(getattr(error, "connection_invalidated", False))


def _engine(url: str) -> Engine:
    import sqlalchemy

    try:
        address = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise SettingsInvalid("the journal's address is none", hint="postgresql://USER@HOST/NAME") from error
    if address.get_backend_name() != "postgresql":
        raise SettingsInvalid("the journal's address is not that of a PostgreSQL", hint="postgresql://USER@HOST/NAME")
    # a server whose machine is gone answers nothing: that is noticed as well
    options = f"-c statement_timeout={int(_STATEMENT * 1_000)}"
    given = {
        "options": options,
        "connect_timeout": 2,
        "application_name": "linnet",
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": int(_STATEMENT * 1_000),
    }
    return sqlalchemy.create_engine(
        driven(address),
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=28,
        connect_args=given,
    )


_STATEMENT = 5.0
"""Seconds that one statement may take, and that a server may be silent."""


def _run(connection: Connection, sql: str, **values: Any) -> Any:
    import sqlalchemy

    return connection.execute(sqlalchemy.text(sql), values)
