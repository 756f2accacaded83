"""The driver of PostgreSQL: an extra, and its cure is said where it is not there, whoever needs it."""

from __future__ import annotations

import sys

import pytest

from linnet.agent.shared_runs import SharedRuns
from linnet.agent.tools.database import Database
from linnet.errors import SettingsInvalid


@pytest.mark.parametrize("needing", [Database, SharedRuns])
def test_a_missing_driver_is_said_with_its_cure(needing: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsInvalid, match="PostgreSQL needs the package psycopg") as caught:
        needing("postgresql://x@127.0.0.1/x")
    assert caught.value.hint == "Install it: pip install 'linnet[postgres]'"
