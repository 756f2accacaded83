"""`linnet router train`, `linnet router try` and `linnet eval router`: files, tables, and what is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.errors import USAGE
from linnet.interfaces.cli.commands import app

SAID = {
    "hours": ["when do you open", "what are your hours", "when do you close", "are you open late", "opening hours"],
    "table": ["book a table", "a table for two", "reserve a table please", "is a table free", "table tonight"],
}
TEST = [("when do you open today", "hours"), ("a table please", "table"), ("quantum physics", None)]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Examples in the current folder, and none of the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    lines: list[dict[str, Any]] = [{"text": t, "intent": name} for name, texts in SAID.items() for t in texts]
    lines += [{"text": text, "intent": None} for text in ("who won", "sing a song", "two plus two")]
    lines += [{"text": text, "intent": intent, "split": "test"} for text, intent in TEST]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})


def test_train_then_try_then_count(rows: Path) -> None:
    done = invoke("router", "train", "rows.jsonl", "--out", "intents.npz")
    assert done.exit_code == 0, done.output
    assert "intents.npz: 2 intents" in done.stdout
    tried = invoke("router", "try", "a table for three", "--classifier", "intents.npz")
    assert tried.exit_code == 0 and tried.stdout.startswith("intent table rather than hours")
    told = json.loads(invoke("router", "try", "xyzzy quux", "--classifier", "intents.npz", "--json").stdout)
    assert told["intent"] is None and "why" in told
    done = invoke("eval", "router", "--data", "rows.jsonl", "--classifier", "intents.npz", "--out", "out.jsonl")
    assert done.exit_code == 0, done.output
    assert "in scope: accuracy" in done.stdout and "out of scope: recall" in done.stdout
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == [text for text, _ in TEST]
    assert all(set(line) == {"text", "intent"} and line["intent"] in ("hours", "table", None) for line in lines)


def test_counting_trains_where_no_classifier_is_given(rows: Path) -> None:
    done = invoke("eval", "router", "--data", "rows.jsonl", "--json")
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout)
    assert (numbers["in_scope"]["of"], numbers["out_of_scope"]["of"], numbers["intents"]) == (2, 1, 2)
    assert len(numbers["in_scope"]["interval"]) == 2 and numbers["training"]["rows"] == 10
    some = json.loads(
        invoke("eval", "router", "--data", "rows.jsonl", "--each", "2", "--limit", "1", "--json").stdout
    )
    assert some["training"]["rows"] == 4 and some["in_scope"]["of"] + some["out_of_scope"]["of"] == 1


def test_training_is_told_as_json(rows: Path) -> None:
    told = json.loads(invoke("router", "train", "rows.jsonl", "--out", "i.npz", "--give-up", "0", "--json").stdout)
    assert told["intents"] == ["hours", "table"] and told["bytes"] == Path("i.npz").stat().st_size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["eval", "router", "--data", "away.json"], "cannot be read"),
        (["eval", "router", "--data", "one.jsonl"], "has no test rows"),
        (["eval", "router", "--data", "rows.jsonl", "--classifier", "rows.jsonl"], "is damaged"),
        (["eval", "router", "--data", "rows.jsonl", "--by", "model", "--each", "2"], "are for --by classifier"),
        (["eval", "router", "--data", "rows.jsonl", "--model", "default"], "--model is for --by model"),
        (["eval", "router", "--data", "rows.jsonl", "--classifier", "a", "--each", "2"], "--each is for training"),
        (["router", "train", "one.jsonl", "--out", "i.npz"], "1 intents have examples"),
        (["router", "train", "rows.jsonl", "--out", "rows.jsonl/i.npz"], "cannot be written"),
        (["router", "try", "hi", "--classifier", "away.npz"], "cannot be read"),
    ],
)
def test_what_cannot_be_used(rows: Path, arguments: list[str], said: str) -> None:
    Path("one.jsonl").write_text('{"text": "hi", "intent": "a"}')
    done = invoke(*arguments, "--json")
    assert done.exit_code == USAGE, done.output
    assert said in json.loads(done.stdout)["error"]["message"]


def test_help_says_which_forms_are_taken() -> None:
    told = " ".join(invoke("eval", "router", "--help").output.split())
    assert "data_full.json" in told and "null" in told and "validation" in told


def test_examples_of_two_intents_are_told(rows: Path) -> None:
    twice = json.dumps({"text": "When do  you open", "intent": "table"})
    rows.write_text(f"{rows.read_text()}\n{twice}")
    done = invoke("router", "train", "rows.jsonl", "--out", "intents.npz")
    assert done.exit_code == 0 and "'when do you open' is an example of hours and of table" in done.output
    told = json.loads(invoke("router", "train", "rows.jsonl", "--out", "intents.npz", "--json").stdout)
    assert told["conflicts"] == [{"text": "when do you open", "intents": ["hours", "table"]}]


ROUTER = """
classifier = "intents.npz"
[intents.hours]
examples = ["when do you open"]
answer = "At {opens}."
values = { opens = "8:00" }
[intents.table]
answer = "Call us for {people}."
values = { people = "any number" }
rules = [{ pattern = "a table for (?P<people>\\\\d+)" }]
"""


def test_run_takes_a_router(rows: Path) -> None:
    assert invoke("router", "train", "rows.jsonl", "--out", "intents.npz").exit_code == 0
    rows.with_name("cafe.toml").write_text(ROUTER)
    told = json.loads(invoke("run", "a table for 4", "--router", "cafe.toml", "--json").stdout)
    assert (told["answer"], told["how"]) == ("Call us for 4.", "rule")
    told = json.loads(invoke("run", "when do you open today", "--router", "cafe.toml", "--json").stdout)
    assert (told["answer"], told["how"]) == ("At 8:00.", "intent")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "cannot be read"),
        ("intents = 3", "intents: "),
        ("[intents.a]\nanswers = 'x'", "intents.a.answers"),
        ("[intents.a]\nanswer = 'x'\nprompt = 'y'", "has both an answer and a prompt"),
        ("[[[", "is not TOML"),
        ("margin = 1", "intents: "),
    ],
)
def test_a_router_that_cannot_be(rows: Path, body: str | None, said: str) -> None:
    if body is not None:
        rows.with_name("cafe.toml").write_text(body)
    done = invoke("run", "hello", "--router", "cafe.toml")
    assert done.exit_code == USAGE and said in done.output
