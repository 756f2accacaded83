"""`linnet memory`: facts by their numbers, the journal, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.agent.memory import Memory
from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.memory import EXAMPLE
from linnet.messages import ToolCall


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


def ask(file: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["memory", *words, "--file", str(file)], env={"COLUMNS": "120"})


def told(file: Path, *words: str) -> Any:
    done = ask(file, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_fact_from_beginning_to_end(file: Path) -> None:
    added = told(file, "add", "My sister is called Ingrid.")
    assert (added["id"], added["text"], added["source"]) == (1, "My sister is called Ingrid.", "user")
    assert told(file, "show", "1") == added == told(file, "list")[0]
    assert told(file, "edit", "1", "My sister is called Sigrid.")["text"] == "My sister is called Sigrid."
    assert [fact["id"] for fact in told(file, "list", "--about", "sister")] == [1]
    assert told(file, "list", "--about", "volcano") == []
    assert told(file, "forget", "1")["forgotten"][0]["id"] == 1
    assert told(file, "list") == []


def test_for_people(file: Path) -> None:
    assert ask(file, "add", "I live in Oslo.").stdout.startswith("1: I live in Oslo. (user, 20")
    assert "I live in Oslo." in ask(file, "list").stdout
    assert ", changed 20" in ask(file, "edit", "1", "I live in Bergen.").stdout
    assert ask(file, "forget", "1").stdout == "forgotten: I live in Bergen.\n"
    assert "Nothing is remembered." in ask(file, "list").output
    assert "There is nothing in the journal." in ask(file, "journal").output


@pytest.mark.parametrize("command", [("list",), ("show", "1"), ("edit", "1", "x"), ("forget", "1"), ("journal",)])
def test_a_mistyped_file_is_not_made_anew(file: Path, command: tuple[str, ...]) -> None:
    found = ask(file, *command)
    assert found.exit_code == 2 and "is not there" in found.output and "memory add" in found.output
    assert not file.exists()
    assert ask(file.parent, *command).exit_code == 2, "a folder is no memory"


def test_the_journal(file: Path) -> None:
    memory = Memory(file)
    turn = memory.begin("do it")
    memory.intend(turn, ToolCall("act", {}, "call-1"))
    memory.close()
    assert [found["request"] for found in told(file, "journal")] == ["do it"]
    assert told(file, "journal", "--unfinished")[0]["calls"][0]["outcome"] is None
    assert "act (not ended)" in ask(file, "journal").stdout
    assert told(file, "forget", "--all") == {"forgotten": [], "turns": 1}
    assert told(file, "journal") == []


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["show", "7"], 2, "input_invalid"),
        (["forget"], 2, "input_invalid"),
        (["forget", "1", "--all"], 2, "input_invalid"),
        (["add", " "], 2, "input_invalid"),
        (["add", "a" * 1_001], 4, "request_too_large"),
    ],
)
def test_what_is_refused(file: Path, words: list[str], code: int, error: str) -> None:
    done = ask(file, *words, "--json")
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (code, error)


def test_a_file_that_is_no_memory(file: Path) -> None:
    file.write_text("notes")
    done = ask(file, "list", "--json")
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (1, "store_damaged")
    assert file.read_text() == "notes"


def test_the_help_has_the_example() -> None:
    assert EXAMPLE in CliRunner().invoke(app, ["memory", "add", "--help"], env={"COLUMNS": "120"}).stdout
