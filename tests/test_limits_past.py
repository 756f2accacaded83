"""One past limits whose modules' own tests do not go there; tests/test_limits.py has the list of all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from linnet.agent.context.fit import Fitter
from linnet.agent.context.tally import Tally
from linnet.agent.database import Database, Layout
from linnet.agent.intents import examples
from linnet.errors import RequestError, StoreUnavailable
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Done, Event, Generate, Request, Score, Segment
from linnet.runtime import exchange

PROMPT = (Segment("x", True),)


def test_one_past_what_a_request_may_hold() -> None:
    options = {f"o{i}": i for i in range(LIMITS.template_options + 1)}
    within: list[dict[str, Any]] = [
        {"stop": ("x",) * LIMITS.stops},
        {"owner": "x" * LIMITS.owner_chars},
        {"template_options": dict(list(options.items())[:-1])},
    ]
    past: list[dict[str, Any]] = [
        {"stop": ("x",) * (LIMITS.stops + 1)},
        {"owner": "x" * (LIMITS.owner_chars + 1)},
        {"template_options": options},
    ]
    for fields in within:
        Generate(PROMPT, **fields)
    for fields in past:
        with pytest.raises(ValidationError):
            Generate(PROMPT, **fields)
    Score(PROMPT, ("a",) * LIMITS.continuations)
    with pytest.raises(ValidationError):
        Score(PROMPT, ("a",) * (LIMITS.continuations + 1))


class Counts:
    capabilities = Capabilities("counts", 100)

    def stream(self, request: Request) -> Iterator[Event]:
        yield Done(count=3)


def test_one_past_what_an_agent_remembers() -> None:
    tally = Tally(Counts())
    tally.texts([f"text {i}" for i in range(LIMITS.counts_kept + 1)])
    assert len(tally._known) == LIMITS.counts_kept
    notes = Fitter(Counts())._notes
    for i in range(LIMITS.summaries_kept + 1):
        notes.put(b"%d" % i, "summary")
    assert len(notes) == LIMITS.summaries_kept and notes.get(b"0") is None


def test_a_store_is_waited_for_so_long_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.agent.database.LIMITS", replace(LIMITS, store_wait_seconds=0.3))
    layout = Layout("store", mark=7, version=1, tables=("CREATE TABLE IF NOT EXISTS t (x)",))
    database = Database(tmp_path / "s.db", layout)
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(StoreUnavailable), database.writing():
        pass
    assert time.monotonic() - started >= 0.25
    other.execute("ROLLBACK")
    with database.writing() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
    other.close()
    database.close()


def test_one_example_past_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "LIMITS", replace(LIMITS, intent_examples=3))
    some = [examples.Example(f"text {i}", "ab"[i % 2]) for i in range(4)]
    examples.check(some[:3])
    with pytest.raises(RequestError, match="limit of 3"):
        examples.check(some)


def test_a_refusal_is_read_no_further_than_the_limit() -> None:
    class Endless:
        read = 0

        def iter_raw(self) -> Iterator[bytes]:
            while True:
                self.read += 1_000
                yield b"x" * 1_000

    endless = Endless()
    assert len(exchange._beginning(endless)) == LIMITS.remote_error_bytes  # type: ignore[arg-type]
    assert endless.read <= LIMITS.remote_error_bytes + 1_000
