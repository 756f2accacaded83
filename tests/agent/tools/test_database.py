"""The database tools read, on SQLite and on a real PostgreSQL, and no statement makes them do anything else."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linnet.agent.tools import database as module
from linnet.agent.tools.database import Database, database_tools
from linnet.errors import SettingsInvalid, ToolDenied, ToolError, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.tools import Permission

HERE = Path(__file__)


def loaded(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


postgres = loaded("tests_postgres", HERE.parents[2] / "postgres.py")
breakouts = loaded("torture_sql", HERE.parents[2] / "torture" / "tools_sql.py")


SECONDS = 0.4


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less time for a query, for the tests of those that never end."""
    for place in (module, module.sqlite, module.postgres):
        monkeypatch.setattr(place, "LIMITS", replace(LIMITS, sql_seconds=SECONDS))


@pytest.fixture
def staff(tmp_path: Path) -> Path:
    file = tmp_path / "staff of 50%.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, photo BLOB)")
        connection.executemany("INSERT INTO staff VALUES (?, ?, ?)", [(1, "Anna", b"\1\2"), (2, "Bert", None)])
        connection.execute("CREATE VIEW names AS SELECT name FROM staff")
    connection.close()
    return file


@pytest.fixture
def sqlite(staff: Path) -> Database:
    return Database(f"sqlite:///{staff}")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A superuser's address; `reader` may log in and select."""
    try:
        with postgres.cluster() as address:
            breakouts.furnish(address)
            yield address
    except postgres.Missing as missing:
        pytest.skip(f"PostgreSQL: {missing}")


@pytest.fixture
def postgresql(server: str) -> Database:
    return Database(server.replace("boss@", "reader@"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


# --- what they do --------------------------------------------------------------------------------


def test_rows_are_read(database: Database) -> None:
    found = database.query("SELECT id, name FROM staff ORDER BY id;")
    rows = [{"id": 1, "name": "Anna"}, {"id": 2, "name": "Bert"}]
    assert found == {"rows": rows, "count": 2, "truncated": False, "note": ""}
    assert database.query("WITH x AS (SELECT name FROM staff) SELECT name FROM x -- all\n")["count"] == 2
    assert database.query("SELECT name FROM staff WHERE name LIKE '%a%'")["rows"] == [{"name": "Anna"}]
    assert database.query("SELECT name FROM staff WHERE id = 77")["rows"] == []


def test_tables_are_told(database: Database) -> None:
    found = database.tables()
    assert {"staff", "names"} <= set(found["tables"])
    assert found["tables"]["staff"][:2] == ["id integer", "name text"]
    assert "- staff: id integer, name text" in found["summary"]


def test_values_of_every_kind_have_a_json_form(postgresql: Database, sqlite: Database) -> None:
    assert sqlite.query("SELECT photo FROM staff")["rows"] == [{"photo": "base64:AQI="}, {"photo": None}]
    row = postgresql.query("SELECT 1.5 AS n, now()::date AS day, ARRAY[1,2] AS list, '{\"a\": 1}'::jsonb AS o")
    (found,) = row["rows"]
    assert (found["n"], found["list"], found["o"]) == (1.5, "[1, 2]", '{"a": 1}') and len(found["day"]) == 10


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT * FROM nothing", "", ";", "SELECT '", "SELECT 1; SELECT 2", "\0", "é"]
)
def test_what_is_no_query_is_refused_in_words(database: Database, sql: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        database.query(sql)
    assert caught.value.message


# --- bounds --------------------------------------------------------------------------------------

COUNTING = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n",
    "postgresql": "SELECT i FROM generate_series(1, {most}) AS i",
}


def kind(database: Database) -> str:
    return str(database._engine.dialect.name)


def test_rows_up_to_the_limit_and_one_more(database: Database) -> None:
    whole = database.query(COUNTING[kind(database)].format(most=LIMITS.sql_rows))
    assert (whole["count"], whole["truncated"]) == (LIMITS.sql_rows, False)
    cut = database.query(COUNTING[kind(database)].format(most=LIMITS.sql_rows + 1))
    assert (cut["count"], cut["truncated"], cut["note"]) == (LIMITS.sql_rows, True, "\n(the first 1,000 rows)")


def test_long_texts_are_cut_and_said_so(database: Database) -> None:
    text = "hex(zeroblob({}))" if kind(database) == "sqlite" else "repeat('00', {})"
    whole = database.query(f"SELECT {text.format(LIMITS.sql_cell_chars // 2)} AS t")
    assert len(whole["rows"][0]["t"]) == LIMITS.sql_cell_chars and not whole["truncated"]
    cut = database.query(f"SELECT {text.format(LIMITS.sql_cell_chars // 2 + 1)} AS t")
    assert len(cut["rows"][0]["t"]) == LIMITS.sql_cell_chars and cut["truncated"] and "4,096" in cut["note"]


def test_the_result_as_a_whole_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, tool_output_bytes=400))
    cut = database.query(COUNTING[kind(database)].format(most=100))
    assert 0 < cut["count"] < 100 and cut["truncated"]


def test_a_value_one_past_the_limit(sqlite: Database) -> None:
    assert sqlite.query(f"SELECT length(zeroblob({LIMITS.sql_value_bytes})) AS n")["rows"] == [{"n": 65_536}]
    with pytest.raises(ToolFailed, match="too big"):
        sqlite.query(f"SELECT length(zeroblob({LIMITS.sql_value_bytes + 1})) AS n")


def test_a_query_one_past_the_limit(sqlite: Database) -> None:
    rest = LIMITS.sql_value_bytes - len("SELECT 1 AS a")
    assert sqlite.query("SELECT 1 AS a" + " " * rest)["count"] == 1
    with pytest.raises(ToolFailed, match="too"):
        sqlite.query("SELECT 1 AS a" + " " * (rest + 1))


def test_columns_of_a_query_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "wide.db"
    with sqlite3.connect(file) as connection:
        connection.execute(f"CREATE TABLE wide ({', '.join(f'c{i}' for i in range(150))})")
        connection.execute("INSERT INTO wide (c0, c149) VALUES (1, 2)")
    connection.close()
    wide = Database(f"sqlite:///{file}")
    assert wide.query("SELECT c0, c149 FROM wide")["rows"] == [{"c0": 1, "c149": 2}]
    assert wide.query(f"SELECT {', '.join(f'c{i}' for i in range(100))} FROM wide")["count"] == 1
    for sql in ("SELECT * FROM wide", f"SELECT {', '.join(f'{i} AS a{i}' for i in range(101))}"):
        with pytest.raises(ToolFailed, match="too many columns"):
            wide.query(sql)


UNINTERRUPTED = (
    "SELECT length(trim({text}, replace({letters}, '0', '1') || '0')) AS n",
    "SELECT length(ltrim({text}, replace({letters}, '0', '1') || '0')) AS n",
    "SELECT length(rtrim({text}, replace({letters}, '0', '1') || '0')) AS n",
    "SELECT length(replace({text}, {letters} || '1', '')) AS n",
    "SELECT instr({text}, {letters} || '1') AS n",
)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("sql", UNINTERRUPTED)
def test_no_one_step_takes_longer_than_the_clock_waits(sqlite: Database, sql: str) -> None:
    """By the processor's time: inside one step of SQLite's machine no clock is looked at."""
    most = LIMITS.sql_value_bytes
    began = time.process_time()
    for bytes_ in (most, 1 << 20):
        with contextlib.suppress(ToolError):
            zeros = {"text": f"hex(zeroblob({bytes_ // 2}))", "letters": f"hex(zeroblob({bytes_ // 4}))"}
            sqlite.query(sql.format(**zeros))
    assert time.process_time() - began < SECONDS + 1


def test_trimming_is_as_it_is(sqlite: Database) -> None:
    sql = "SELECT trim('xxaxx', 'yx') AS a, ltrim('xxa', 'x') AS b, rtrim('axx', 'x') AS c, trim(NULL, 'x') AS d, "
    row = sqlite.query(sql + "trim(x'78', 'x') AS e, trim(17, 1) AS f, trim('  a ') AS g")["rows"][0]
    assert row == {"a": "a", "b": "a", "c": "a", "d": None, "e": "", "f": "7", "g": "a"}


def test_many_tables_and_columns_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "many.db"
    with sqlite3.connect(file) as connection:
        for number in range(LIMITS.sql_tables + 1):
            columns = ", ".join(f"c{i}" for i in range(LIMITS.sql_columns + (number == 0)))
            connection.execute(f"CREATE TABLE t{number:03} ({columns})")
    connection.close()
    found = Database(f"sqlite:///{file}").tables()
    assert len(found["tables"]) == LIMITS.sql_tables and f"the first {LIMITS.sql_tables} of 65" in found["note"]
    assert (
        len(found["tables"]["t000"]) == LIMITS.sql_columns + 1 and len(found["tables"]["t001"]) == LIMITS.sql_columns
    )


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
}


@pytest.mark.usefixtures("hurried")
def test_its_time_is_bounded_whatever_it_says(database: Database) -> None:
    with pytest.raises(ToolTimeout):
        database.query(ENDLESS[kind(database)])


# --- breakouts -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("sql", breakouts.SQLITE)
def test_sqlite_is_read_only(staff: Path, sqlite: Database, tmp_path: Path, sql: str) -> None:
    before = staff.read_bytes()
    assert breakouts.held(sqlite, sql.format(folder=tmp_path, file=staff)) == ""
    assert staff.read_bytes() == before and sorted(tmp_path.iterdir()) == [staff]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("sql", breakouts.POSTGRES)
def test_postgresql_is_read_only(server: str, postgresql: Database, sql: str) -> None:
    assert breakouts.held(postgresql, sql) == ""
    assert breakouts.state(server) == breakouts.FURNISHED


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a) AS linnet UNION ALL SELECT repeat('x', 100000) FROM (SELECT 1",
        "SELECT 1 AS a) AS linnet; SELECT 2 FROM (SELECT 1",
        "SELECT 1 AS a) AS x, (SELECT 1 AS b",
    ],
)
def test_no_query_ends_the_one_around_it(postgresql: Database, sql: str) -> None:
    with pytest.raises(ToolFailed, match="syntax error"):
        postgresql.query(sql)


def test_an_account_that_may_do_more_is_refused(server: str) -> None:
    with pytest.raises(ToolDenied, match="superuser"):
        Database(server).query("SELECT 1")
    with pytest.raises(ToolDenied, match="pg_read_server_files"):
        Database(server.replace("boss@", "snoop@")).query("SELECT 1")


def test_what_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="mysql is not read"):
        Database("mysql://root@localhost/x")
    with pytest.raises(SettingsInvalid, match="address is wrong"):
        Database("nonsense")
    for password in ("se:cret/word", "se@[cret:word"):
        with pytest.raises(SettingsInvalid, match="address is wrong") as caught:
            Database(f"postgresql://me:{password}@host:a/x")
        assert "cret" not in str(caught.value.describe()) and caught.value.__suppress_context__
    with pytest.raises(ToolFailed, match="there is no database"):
        Database(f"sqlite:///{tmp_path / 'away.db'}").query("SELECT 1")
    assert not (tmp_path / "away.db").exists()
    (tmp_path / "text.db").write_text("no database at all")
    with pytest.raises(ToolFailed, match="not a database"):
        Database(f"sqlite:///{tmp_path / 'text.db'}").query("SELECT * FROM sqlite_master")
    with pytest.raises(ToolFailed):
        Database("postgresql://x@127.0.0.1:1/x").query("SELECT 1")


# --- the tools -----------------------------------------------------------------------------------


def test_the_tools_tell_the_model_of_the_tables(sqlite: Database) -> None:
    query, tables = database_tools(sqlite)
    assert query.permissions == tables.permissions == {Permission.READ_DATABASE}
    assert query.description.endswith("Tables: names(name); staff(id, name, photo)")
    asked = query.match("select name from staff where id = 1")
    assert asked is not None and query.render_answer(asked, query.run(asked)) == "- name: Anna"
    assert tables.match("Which tables are in the database?") == {}
    answer = tables.render_answer({}, tables.run({}))
    assert answer is not None and answer.startswith("Tables:\n- names: name text\n- staff: id integer")


@pytest.mark.parametrize(
    ("request_", "whole"),
    [
        ("SELECT name FROM staff", True),
        ("select a,\tb  from  (select 1)", True),
        ("with x as (select 1) select * from x", True),
        ("WITH x(a) AS(SELECT 1), y AS (SELECT 2) SELECT a FROM x", True),
        ("with x as (select 1)", False),
        ("with x as select 1", False),
        ("select from staff", False),
        ("please select a from b", False),
        ("select a\nfrom b", False),
        ("select one, from", False),
        ("within us as (all) select few", False),
    ],
)
def test_what_is_a_query(request_: str, whole: bool) -> None:
    query, _ = module.definitions()
    assert query.match(request_) == ({"sql": request_} if whole else None)


@pytest.mark.parametrize(
    "request_", ["with a" + " as (b)" * 584, "with a as(" + " as()select" * 370, "select" + " " * 4_090]
)
def test_what_is_no_query_is_known_in_one_pass(request_: str) -> None:
    """Within a second of the processor: the square of a request's length takes several, its cube minutes."""

    def late(*given: Any) -> None:
        raise AssertionError("it goes over the request again and again")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1.0)
    try:
        assert all(tool.match(request_) is None for tool in module.definitions())
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_a_database_that_is_away_is_said_when_it_is_asked(tmp_path: Path) -> None:
    query, _ = database_tools(Database(f"sqlite:///{tmp_path / 'away.db'}"))
    with pytest.raises(ToolError):
        query.run({"sql": "SELECT 1"})


def test_nothing_is_left_open(sqlite: Database) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    sqlite.query("SELECT 1 AS a")
    before = opened()
    for sql in ("SELECT 1 AS a", "SELECT nothing") * 5:
        _tried(sqlite, sql)
    assert opened() <= before


def _tried(database: Database, sql: str) -> Any:
    try:
        return database.query(sql)
    except ToolError as error:
        return error
