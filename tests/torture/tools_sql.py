"""SQL that tries to write, to read other files, to run programs, to reach out, or never to end: none of it may.

    python tests/torture/tools_sql.py --rounds 3 --seed 1

Every statement is run as it is and in spellings made from the seed (case, comments, white space), on a SQLite file
and on a private PostgreSQL (skipped where there is none). A statement holds if it ends in time with an error or with
rows that give nothing away, and the data are afterwards what they were.
"""

# ruff: noqa: E501  tables of cases read better wide

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from linnet.agent.tools.database import Database
from linnet.errors import ToolError

SECRET = "the canary is yellow"
SECONDS = 20.0  # of a busy machine; the limit is 2

SQLITE = (
    "INSERT INTO staff (name) VALUES ('Eve')",
    "UPDATE staff SET name = 'Eve'",
    "DELETE FROM staff",
    "DROP TABLE staff",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t AS SELECT * FROM staff",
    "CREATE TEMP TRIGGER t AFTER INSERT ON staff BEGIN DELETE FROM staff; END",
    "SELECT 1; DELETE FROM staff",
    "WITH x AS (SELECT 1) DELETE FROM staff",
    "WITH x AS (SELECT 1) INSERT INTO staff (name) SELECT 'Eve'",
    "DELETE FROM staff RETURNING name",
    "REPLACE INTO staff (id, name) VALUES (1, 'Eve') RETURNING *",
    "ATTACH DATABASE '{folder}/other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH DATABASE main",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA temp_store_directory = '{folder}'",
    "PRAGMA database_list",
    "SELECT * FROM pragma_database_list",
    "SELECT load_extension('{folder}/evil.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT readfile('{file}')",
    "SELECT writefile('{folder}/out', 'x')",
    "VACUUM INTO '{folder}/copy.db'",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "SAVEPOINT a",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "EXPLAIN DELETE FROM staff",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n ORDER BY -i",
    "WITH RECURSIVE n(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM n) SELECT length(s) FROM n WHERE s = 'y'",
    "SELECT count(*) FROM staff a, staff b, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n)",
    "SELECT length(zeroblob(2000000000))",
    "SELECT printf('%2000000000d', 1)",
    "SELECT replace(hex(zeroblob(400000)), '00', hex(zeroblob(400000)))",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' REGEXP '(a+)+$'",
    "SELECT name FROM staff WHERE name LIKE '%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_'",
)
"""`{folder}` and `{file}` are the folder and the file of the database."""

POSTGRES = (
    "INSERT INTO staff (name) VALUES ('Eve')",
    "UPDATE staff SET name = 'Eve'",
    "DELETE FROM staff",
    "DROP TABLE staff",
    "TRUNCATE staff",
    "CREATE TABLE t (x int)",
    "CREATE TEMP TABLE t (x int)",
    "SELECT 1 AS a; DELETE FROM staff",
    "SELECT 1 AS a) AS linnet; DELETE FROM staff; SELECT * FROM (SELECT 1",
    "SELECT 1 AS a) AS linnet; COMMIT; BEGIN READ WRITE; DELETE FROM staff; SELECT * FROM (SELECT 1",
    "COMMIT; DELETE FROM staff",
    "WITH x AS (DELETE FROM staff RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO staff (name) VALUES ('Eve') RETURNING *) SELECT * FROM x",
    "SELECT * INTO t FROM staff",
    "SELECT * FROM staff FOR UPDATE",
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SET statement_timeout = 0",
    "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
    "SELECT pg_sleep(60)",
    "SET ROLE boss",
    "SELECT set_config('role', 'boss', false)",
    "SET SESSION AUTHORIZATION boss",
    "COPY staff TO PROGRAM 'touch /tmp/linnet-pwned'",
    "COPY staff FROM PROGRAM 'echo 3,Eve'",
    "COPY staff TO '/tmp/linnet-pwned'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/linnet-pwned')",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_create(4711)",
    "SELECT query_to_xml('DELETE FROM staff', true, true, '')",
    "SELECT query_to_xml('SELECT pg_read_file(''/etc/passwd'')', true, true, '')",
    "SELECT * FROM dblink('host=127.0.0.1', 'DELETE FROM staff') AS t(x text)",
    "CREATE EXTENSION dblink",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS 'import os'",
    "DO $$ BEGIN DELETE FROM staff; END $$",
    "LOAD 'auto_explain'",
    "SELECT nextval('staff_id_seq')",
    "SELECT setval('staff_id_seq', 99)",
    "SELECT pg_reload_conf()",
    "SELECT pg_notify('x', 'y'), pg_sleep(60)",
    "SELECT pg_rotate_logfile()",
    "SELECT rolpassword FROM pg_authid",
    "SELECT word FROM secret",
    "ALTER SYSTEM SET fsync = off",
    "VACUUM staff",
    "LISTEN x",
    "EXPLAIN ANALYZE DELETE FROM staff",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "SELECT count(*) FROM generate_series(1, 100000000000)",
    "SELECT repeat('x', 500000000)",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT string_agg(repeat('x', 1000), '') FROM generate_series(1, 2000000)",
    "SELECT regexp_replace(repeat('a', 4000) || 'b', '(a*)*c', '')",
)

FURNISHED: list[Any] = [[(1, "Anna"), (2, "Bert")], 2, 0, ["names", "secret", "staff"]]
"""What `state` says of a PostgreSQL that `furnish` has made."""


def furnish(address: str) -> None:
    """Tables and accounts: `reader` may select, `snoop` may read the server's files too."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        for sql in (
            "CREATE TABLE staff (id serial PRIMARY KEY, name text)",
            "INSERT INTO staff (name) VALUES ('Anna'), ('Bert')",
            "CREATE VIEW names AS SELECT name FROM staff",
            f"CREATE TABLE secret AS SELECT '{SECRET}'::text AS word",
            "CREATE ROLE reader LOGIN",
            "CREATE ROLE snoop LOGIN IN ROLE pg_read_server_files",
            "GRANT SELECT ON staff, names TO reader, snoop",
        ):
            connection.execute(sql)


def state(address: str) -> list[Any]:
    """Rows, the next number, large objects, tables."""
    import psycopg

    with psycopg.connect(address) as connection:
        return [
            connection.execute("SELECT id, name FROM staff ORDER BY id").fetchall(),
            connection.execute("SELECT last_value FROM staff_id_seq").fetchall()[0][0],
            connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchall()[0][0],
            sorted(
                row[0]
                for row in connection.execute(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
                )
            ),
        ]


def held(database: Database, sql: str) -> str:
    """What is wrong with how a statement ended; "" for nothing."""
    started = time.monotonic()
    try:
        told = str(database.query(sql))
    except ToolError as error:
        told = error.message
    except Exception as error:
        return f"{sql!r} raised {type(error).__name__}: {error}"
    seconds = time.monotonic() - started
    if seconds > SECONDS:
        return f"{sql!r} took {seconds:.1f} s"
    if SECRET in told or "root:" in told:
        return f"{sql!r} gave away {told[:80]!r}"
    return f"{sql!r} left a file" if Path("/tmp/linnet-pwned").exists() else ""


def spelled(sql: str, rng: random.Random) -> str:
    """Another spelling of the same statement, texts in quotation marks left alone."""
    parts = sql.split("'")
    for place in range(0, len(parts), 2):
        words = parts[place].split(" ")
        words = ["".join(rng.choice((c.lower(), c.upper())) for c in word) for word in words]
        parts[place] = rng.choice((" ", "\n", "\t", " /**/ ", " -- x\n")).join(words)
    return (
        rng.choice(("", ";", " ; ", "/* */ ")).join(("", "'".join(parts))) if rng.random() < 0.3 else "'".join(parts)
    )


def sqlite_case(rounds: int, seed: int) -> tuple[int, int, float]:
    """(tries, passed, worst seconds)"""
    rng, tries, passed, worst = random.Random(seed), 0, 0, 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "staff.db"
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute("INSERT INTO staff (name) VALUES ('Anna'), ('Bert')")
        connection.close()
        before = hashlib.sha256(file.read_bytes()).digest()
        database = Database(f"sqlite:///{file}")
        for turn in range(rounds):
            for sql in SQLITE:
                text = sql.format(folder=folder, file=file)
                started = time.monotonic()
                fault = held(database, spelled(text, rng) if turn else text)
                worst = max(worst, time.monotonic() - started)
                if hashlib.sha256(file.read_bytes()).digest() != before or list(folder.iterdir()) != [file]:
                    fault = f"{sql!r} changed what is on the disk"
                tries, passed = tries + 1, passed + (not fault)
                if fault:
                    print(fault)
    return tries, passed, worst


def postgres_case(rounds: int, seed: int) -> tuple[int, int, float]:
    """(tries, passed, worst seconds); raises postgres.Missing"""
    import postgres

    rng, tries, passed, worst = random.Random(seed), 0, 0, 0.0
    with postgres.cluster() as address:
        furnish(address)
        database = Database(address.replace("boss@", "reader@"))
        for turn in range(rounds):
            for sql in POSTGRES:
                started = time.monotonic()
                fault = held(database, spelled(sql, rng) if turn else sql)
                worst = max(worst, time.monotonic() - started)
                if state(address) != FURNISHED:
                    fault = f"{sql!r} changed the database: {state(address)}"
                tries, passed = tries + 1, passed + (not fault)
                if fault:
                    print(fault)
    return tries, passed, worst


CASES = {"SQL breakouts, SQLite": sqlite_case, "SQL breakouts, PostgreSQL": postgres_case}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    whole = True
    for name, case in CASES.items():
        tries, passed, worst = case(given.rounds, given.seed)
        print(f"{name}: {passed} of {tries} held, worst {worst:.2f} s")
        whole = whole and passed == tries
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
