"""`linnet limits`: every number, for people and for programs."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.limits import EXAMPLE
from linnet.limits import LIMITS


def test_json_has_every_limit() -> None:
    done = CliRunner().invoke(app, ["limits", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == LIMITS.rows()
    assert done.stdout.count("\n") == 1


def test_the_table_fits_80_columns_and_cuts_nothing() -> None:
    done = CliRunner().invoke(app, ["limits"], env={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [name for name in (row["name"] for row in LIMITS.rows()) if name not in done.stdout] == []
    assert "…" not in done.stdout
    assert any(line.split()[:3] == ["request_bytes", "512", "KiB"] for line in lines)
    assert any(line.split()[:3] == ["gguf_keys", "65,536", "keys"] for line in lines)
    assert any(line.split()[:3] == ["chunk_seconds", "0.25", "s"] for line in lines)


def test_the_help_has_the_example() -> None:
    assert EXAMPLE in CliRunner().invoke(app, ["limits", "--help"]).stdout
    assert EXAMPLE == "Example: linnet limits --json"
