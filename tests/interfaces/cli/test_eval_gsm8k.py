"""`linnet eval gsm8k`: the lines, the table, and what cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", "gsm8k", *arguments], env={"COLUMNS": "100"})


def test_lines_and_totals(folder: Path) -> None:
    (folder / "test.jsonl").write_text('{"question": "7 boxes hold 6 pens each.", "answer": "#### 42"}\n')
    given = ("--data", ".", "--made", "1", "--way", "calculate", "--way", "rules", "--out", "out.jsonl", "--json")
    done = invoke(*given)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["way"]) for line in lines] == [
        ("0", "calculate"), ("0", "rules"), ("made-0", "calculate"), ("made-0", "rules"),
    ]  # fmt: skip
    told = json.loads(done.stdout)
    assert told["cases"] == lines and told["totals"]["calculate"]["all"]["of"] == 2
    assert lines[1]["right"] is True and lines[0]["generated_tokens"] > 0


def test_a_table_without_a_model() -> None:
    done = invoke("--made", "4", "--way", "rules")
    assert done.exit_code == 0 and "one step" in done.stdout and "rules" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "there is no case"),
        (("--made", "1", "--way", "asks"), "no way 'asks'"),
        (("--data", "x"), "cannot be read"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...], told: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2 and told in done.stderr
