"""The limits: every one is a number with a unit and a meaning, printed, and obeyed by somebody."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

import linnet
from linnet.limits import LIMITS, Limits, Sandbox

ROWS = LIMITS.rows()
KEPT_BY_OTHERS = ["calculator_seconds"]
"""Limits that no code compares with: the numbers beside them bound the same thing."""

SOURCES = [path for path in Path(linnet.__file__).parent.rglob("*.py") if path.name != "limits.py"]


def test_the_rows_are_the_fields_in_order() -> None:
    assert [row["name"] for row in ROWS] == [field.name for field in dataclasses.fields(Limits)]
    assert all(row["value"] == getattr(LIMITS, row["name"]) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_each_is_a_positive_number_with_a_unit_and_a_meaning(row: dict[str, object]) -> None:
    assert set(row) == {"name", "value", "unit", "meaning"}
    assert isinstance(row["value"], int | float) and not isinstance(row["value"], bool) and row["value"] > 0
    assert row["unit"] and len(str(row["meaning"]).split()) >= 2


def test_they_can_be_printed_as_json() -> None:
    assert json.loads(json.dumps(ROWS)) == ROWS


def test_nobody_can_change_one() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMITS.queue = 1  # type: ignore[misc]


def test_every_limit_is_obeyed_somewhere() -> None:
    """A number that nobody reads is a promise that nobody keeps."""
    text = "\n".join(path.read_text() for path in SOURCES)
    unread = [row["name"] for row in ROWS if not re.search(rf"\b(LIMITS|limits)\.{row['name']}\b", text)]
    assert unread == KEPT_BY_OTHERS


def test_the_numbers_fit_together() -> None:
    assert LIMITS.request_bytes * 6 <= LIMITS.record_bytes // 2, "six bytes of JSON for the worst character"
    assert LIMITS.heartbeat_seconds * 3 <= LIMITS.progress_seconds
    assert LIMITS.chunk_seconds < LIMITS.prefill_seconds < LIMITS.heartbeat_seconds
    assert LIMITS.request_deaths >= 2, "one death in company proves nothing"
    assert LIMITS.restarts > LIMITS.request_deaths


def test_a_sandbox_forbids_everything_unless_told_otherwise() -> None:
    sandbox = Sandbox()
    assert (sandbox.files, sandbox.network, sandbox.processes, sandbox.required) == (True, True, True, False)
