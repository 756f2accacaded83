"""`linnet eval examples`: what is asked for, what is written, and when it ends with which code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.eval.examples import EXAMPLE

PROJECT = Path(__file__).parents[3]
SUM = {"id": "sum", "text": "What is 17 times 24?", "expect": {"answer": "408"}}
WRONG = {"id": "wrong", "text": "What is 2 + 2?", "expect": {"answer": "5"}}
FILES = {"id": "files", "text": "read: notes.txt", "expect": {"answer": "HONEY"}}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A current folder with examples, and none of the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples" / "files").mkdir(parents=True)
    (tmp_path / "examples" / "files" / "notes.txt").write_text("milk and honey")
    (tmp_path / "examples" / "tools.py").write_text(
        "from linnet import tool\n\n\n@tool\ndef wave(hand: str) -> str:\n    return hand\n"
    )
    requests(tmp_path, SUM, WRONG, FILES)
    return tmp_path


def requests(folder: Path, *cases: object) -> None:
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    (folder / "examples" / "requests.jsonl").write_text(lines)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", "examples", *arguments], env={"COLUMNS": "80"})


def test_the_table_and_the_totals(folder: Path) -> None:
    done = invoke()
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert max(map(len, lines)) <= 80
    assert [line.split()[:3] for line in lines if line.startswith(("sum", "files"))] == [
        ["sum", "rule", "right"],
        ["files", "rule", "right"],
    ]
    assert any(line.startswith("wrong") and "answer '2 + 2 = 4'" in line for line in lines)
    assert lines[-3] == "right: 2 of 3, 67% (95% interval 21% to 94%)"
    assert lines[-2] == "by how: rule 2 of 3"
    assert lines[-1].startswith("median: 0.")
    assert done.stderr == ""


def test_json_and_lines_in_a_file(folder: Path) -> None:
    done = invoke("--json", "--out", "out.jsonl", "--limit", "2")
    told = json.loads(done.stdout)
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert told["cases"] == lines
    assert [(line["id"], line["right"]) for line in lines] == [("sum", True), ("wrong", False)]
    assert (told["totals"]["right"], told["totals"]["of"]) == (1, 2)


def test_fail_under(folder: Path) -> None:
    assert invoke("--fail-under", "0.5").exit_code == 0
    assert invoke("--fail-under", "0.7").exit_code == 1
    assert invoke("--fail-under", "2").exit_code == 2


def test_files_by_name(folder: Path) -> None:
    (folder / "examples").rename(folder / "elsewhere")
    assert invoke().exit_code == 2
    named = (
        "--requests",
        "elsewhere/requests.jsonl",
        "--tools",
        "elsewhere/tools.py",
        "--root",
        "elsewhere/files",
    )
    assert invoke(*named).exit_code == 0


@pytest.mark.parametrize("absent", ["requests.jsonl", "tools.py", "files"])
def test_what_is_absent_is_named(folder: Path, absent: str) -> None:
    (folder / "examples" / absent).rename(folder / "away")
    done = invoke()
    assert done.exit_code == 2
    assert absent in done.stderr.splitlines()[0]
    assert "--requests" in done.stderr.splitlines()[1]


def test_a_bad_line_is_named(folder: Path) -> None:
    requests(folder, SUM, {"id": "x"})
    done = invoke("--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["details"]["line"] == 2


def test_an_out_file_that_cannot_be_written(folder: Path) -> None:
    done = invoke("--out", "no/such/folder.jsonl")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_a_case_that_needs_the_model(folder: Path) -> None:
    requests(folder, SUM, {"id": "hello", "text": "Hello, how are you?", "expect": {"calls": []}})
    told = json.loads(invoke("--json").stdout)
    ruled, asked = told["cases"]
    assert (ruled["how"], ruled["prompt_tokens"]) == ("rule", 0)
    assert asked["prompt_tokens"] > 0
    assert sum(count["of"] for count in told["totals"]["by"].values()) == 2


def test_the_example_of_the_help_runs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert EXAMPLE in invoke("--help").stdout
    assert EXAMPLE == "Example: linnet eval examples --limit 5"
    monkeypatch.chdir(PROJECT)
    done = invoke("--limit", "5")
    assert done.exit_code == 0
    assert "right: 5 of 5" in done.stdout
