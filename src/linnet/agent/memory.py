"""Memory: facts that a user wants kept, and a journal of what was done, in one file.

Hides the tables, the search, and which of the oldest turns give way. A fact is shown, changed and forgotten by its
number. Recall is by words: BM25 over stems (SQLite's FTS5), so a fact is found that shares
a word with the request, and no other.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from linnet.agent.database import Database, Layout
from linnet.calling.evidence.naming import words
from linnet.errors import InputInvalid, RequestTooLarge, StoreOverfull
from linnet.limits import LIMITS
from linnet.messages import Step, ToolCall, ToolResult
from linnet.storage import data_folder

_LAYOUT = Layout(
    "memory",
    mark=0x4C4E4D31,  # "LNM1"
    version=1,
    tables=(
        "CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL,"
        " source TEXT NOT NULL, made REAL NOT NULL, changed REAL)",
        "CREATE VIRTUAL TABLE IF NOT EXISTS sought USING fts5(stems, tokenize = 'unicode61')",
        "CREATE TABLE IF NOT EXISTS turns (id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL,"
        " began REAL NOT NULL, answer TEXT, how TEXT, steps TEXT, ended REAL)",
        "CREATE TABLE IF NOT EXISTS calls (turn INTEGER NOT NULL REFERENCES turns, id TEXT NOT NULL,"
        " name TEXT NOT NULL, arguments TEXT NOT NULL, began REAL NOT NULL, outcome TEXT, PRIMARY KEY (turn, id))",
    ),
    precious=True,
)


@dataclass(frozen=True)
class Fact:
    """`source` says who told it, `made` and `changed` when, in seconds since 1970."""

    id: int
    text: str
    source: str
    made: float
    changed: float | None = None

    def describe(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Turn:
    """A journalled turn. `ended` is None for one that never came to its end; `calls` are `{id, name, arguments,
    outcome}`, and an outcome of None is a call that was begun and of which nothing more is known."""

    id: int
    request: str
    began: float
    answer: str | None
    how: str | None
    steps: tuple[dict[str, Any], ...]
    ended: float | None
    calls: tuple[dict[str, Any], ...]

    def describe(self) -> dict[str, Any]:
        return asdict(self)


def memory_file() -> Path:
    """Where the memory is, if nobody says otherwise."""
    return data_folder() / "memory.db"


class Memory:
    """An open memory, safe between threads and between processes."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises what `Database` raises."""
        self._database = Database(path or memory_file(), _LAYOUT)

    @property
    def path(self) -> Path:
        return self._database.path

    def close(self) -> None:
        self._database.close()

    # --- facts -------------------------------------------------------------------------------------

    def add(self, text: str, source: str = "user") -> Fact:
        """Keep a fact; one that is known to the letter is not kept twice. Raises InputInvalid for no text,
        RequestTooLarge for one that is no single fact, and StoreOverfull."""
        text = _checked(text)
        with self._database.writing() as cursor:
            known = cursor.execute("SELECT id FROM facts WHERE text = ?", (text,)).fetchone()
            if known is None:
                count = cursor.execute("SELECT count(*) FROM facts").fetchone()[0]
                if count >= LIMITS.memory_facts:
                    raise StoreOverfull(f"the memory holds {count:,} facts, its limit", limit=LIMITS.memory_facts)
                cursor.execute("INSERT INTO facts (text, source, made) VALUES (?, ?, ?)", (text, source, time.time()))
                known = cursor.execute("SELECT last_insert_rowid()").fetchone()
                _index(cursor, known[0], text)
        return self.get(known[0])

    def edit(self, id: int, text: str) -> Fact:
        """Change the text of a fact. Raises InputInvalid where there is none of that number."""
        text = _checked(text)
        self.get(id)
        with self._database.writing() as cursor:
            cursor.execute("UPDATE facts SET text = ?, changed = ? WHERE id = ?", (text, time.time(), id))
            if not cursor.rowcount:
                raise _unknown(id)
            _index(cursor, id, text)
        return self.get(id)

    def forget(self, *ids: int) -> list[Fact]:
        """Delete facts, all or none, and overwrite where they stood. Raises InputInvalid for an unknown number."""
        gone = [self.get(id) for id in dict.fromkeys(ids)]
        with self._database.writing() as cursor:
            for fact in gone:
                cursor.execute("DELETE FROM facts WHERE id = ?", (fact.id,))
                cursor.execute("DELETE FROM sought WHERE rowid = ?", (fact.id,))
            cursor.execute("INSERT INTO sought (sought) VALUES ('optimize')")
        self._database.erase()
        return gone

    def get(self, id: int) -> Fact:
        """Raises InputInvalid where there is no fact of that number."""
        if not 0 < id < 1 << 63:  # SQLite knows no others
            raise _unknown(id)
        rows = self._database.read(f"SELECT {_FACT} FROM facts WHERE id = ?", id)
        if not rows:
            raise _unknown(id)
        return Fact(*rows[0])

    def facts(self) -> list[Fact]:
        """All of them, the oldest first."""
        return [Fact(*row) for row in self._database.read(f"SELECT {_FACT} FROM facts ORDER BY id")]

    def recall(self, request: str, most: int = LIMITS.recalled_facts) -> list[Fact]:
        """The facts that go best with a request, best first: those that share a word with it, common words aside."""
        stems = list(dict.fromkeys(words(request[: LIMITS.rule_chars])))
        if not stems:
            return []
        asked = " OR ".join('"{}"'.format(stem.replace('"', '""')) for stem in stems)
        rows = self._database.read(
            f"SELECT {_FACT} FROM sought JOIN facts ON facts.id = sought.rowid WHERE sought MATCH ?"
            " ORDER BY bm25(sought), facts.id DESC LIMIT ?",
            asked,
            most,
        )
        return [Fact(*row) for row in rows]

    # --- the journal -------------------------------------------------------------------------------

    def begin(self, request: str) -> int:
        """A turn has begun: its number. The oldest turns beyond the limit are gone then."""
        with self._database.writing() as cursor:
            cursor.execute("INSERT INTO turns (request, began) VALUES (?, ?)", (_cut(request), time.time()))
            turn = cursor.lastrowid
            assert turn is not None
            cursor.execute("DELETE FROM calls WHERE turn <= ?", (turn - LIMITS.memory_turns,))
            cursor.execute("DELETE FROM turns WHERE id <= ?", (turn - LIMITS.memory_turns,))
        return turn

    def intend(self, turn: int, call: ToolCall) -> None:
        """A call is about to be made: noted before, so that after a crash it is known that it may have been."""
        row = (turn, call.id, call.name, _json(call.arguments), time.time())
        with self._database.writing() as cursor:
            cursor.execute("INSERT INTO calls (turn, id, name, arguments, began) VALUES (?, ?, ?, ?, ?)", row)

    def outcome(self, turn: int, done: ToolResult) -> None:
        """A call has ended, with a value or an error."""
        told = _json({"result": done.value} if done.error is None else {"error": done.error})
        with self._database.writing() as cursor:
            cursor.execute("UPDATE calls SET outcome = ? WHERE turn = ? AND id = ?", (told, turn, done.call.id))

    def end(self, turn: int, answer: str, how: str, steps: Sequence[Step]) -> None:
        """A turn has ended."""
        row = (_cut(answer), how, _json([asdict(step) for step in steps]), time.time(), turn)
        with self._database.writing() as cursor:
            cursor.execute("UPDATE turns SET answer = ?, how = ?, steps = ?, ended = ? WHERE id = ?", row)

    def turns(self, most: int = 20) -> list[Turn]:
        """The newest turns, the newest first."""
        rows = self._database.read(
            "SELECT id, request, began, answer, how, steps, ended FROM turns ORDER BY id DESC LIMIT ?", most
        )
        return [
            Turn(id, request, began, answer, how, tuple(_value(steps) or ()), ended, self._calls(id))
            for id, request, began, answer, how, steps, ended in rows
        ]

    def unfinished(self) -> list[Turn]:
        """Turns in which a call was begun and not ended: whether it did its work only the user can know."""
        return [turn for turn in self.turns(LIMITS.memory_turns) if any(c["outcome"] is None for c in turn.calls)]

    def clear_journal(self) -> int:
        """Delete all turns, and overwrite where they stood: how many there were."""
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM calls")
            cursor.execute("DELETE FROM turns")
            gone = cursor.rowcount
        self._database.erase()
        return gone

    def _calls(self, turn: int) -> tuple[dict[str, Any], ...]:
        rows = self._database.read(
            "SELECT id, name, arguments, outcome FROM calls WHERE turn = ? ORDER BY began", turn
        )
        return tuple(
            {"id": id, "name": name, "arguments": _value(arguments), "outcome": _value(outcome)}
            for id, name, arguments, outcome in rows
        )


_FACT = "facts.id, facts.text, facts.source, facts.made, facts.changed"


def _checked(text: str) -> str:
    text = " ".join(text.split()).encode(errors="replace").decode()
    if not text:
        raise InputInvalid("there is no text in the fact", hint="Say what to remember.")
    if len(text) > LIMITS.fact_chars:
        raise RequestTooLarge(
            f"the fact is {len(text):,} characters; the limit is {LIMITS.fact_chars:,}",
            hint="Keep facts short: one thing each.",
            size=len(text),
            limit=LIMITS.fact_chars,
        )
    return text


def _index(cursor: sqlite3.Cursor, id: int, text: str) -> None:
    cursor.execute("DELETE FROM sought WHERE rowid = ?", (id,))
    cursor.execute("INSERT INTO sought (rowid, stems) VALUES (?, ?)", (id, " ".join(words(text))))


def _unknown(id: int) -> InputInvalid:
    return InputInvalid(f"there is no fact {id}", hint="`linnet memory list` shows their numbers.", id=id)


def _cut(text: str) -> str:
    return text.encode(errors="replace").decode()[: LIMITS.journal_chars]


def _json(value: Any) -> str:
    """As JSON; of what is longer than the journal keeps, how long it was."""
    text = to_json(value, fallback=str).decode()
    return text if len(text) <= LIMITS.journal_chars else json.dumps({"left_out": len(text)})


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
