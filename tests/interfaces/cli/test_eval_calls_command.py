"""`linnet eval bfcl`: the lines, the table, and what is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app

AREA = {
    "name": "geometry.area_square",
    "description": "Compute the area of a square.",
    "parameters": {
        "type": "dict",
        "properties": {"side": {"type": "integer", "description": "Length of a side."}},
        "required": ["side"],
    },
}
TRUTH = {"geometry.area_square": {"side": [7]}}


def row(name: str, text: str, *truth: Any) -> dict[str, Any]:
    given = {"id": name, "question": [[{"role": "user", "content": text}]], "function": [AREA]}
    return {**given, "ground_truth": list(truth)} if truth else given


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder in the current one, and none of the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bfcl"
    folder.mkdir()
    write(folder / "simple.jsonl", row("s_0", "Compute the area of a square of side 7.", TRUTH), "{")
    write(folder / "irrelevance.jsonl", row("i_0", "Who wrote Faust?"))
    return folder


def write(path: Path, *lines: Any) -> None:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", "bfcl", *arguments], env={"COLUMNS": "80"})


KEYS = {"id", "category", "calls", "how", "seconds"} | {
    f"{kind}_tokens" for kind in ("prompt", "cached", "generated", "forced")
}


def test_lines_in_a_file_and_the_table(data: Path) -> None:
    done = invoke("--data", "bfcl", "--out", "out.jsonl")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert done.exit_code == 0
    assert [(line["id"], line["category"]) for line in lines] == [
        ("i_0", "irrelevance"),
        ("s_0", "simple"),
        ("simple:2", "simple"),
    ]
    assert all(line.keys() >= KEYS for line in lines)
    assert lines[1]["calls"] == [{"name": "geometry.area_square", "arguments": {"side": 7}}]
    assert lines[1]["how"] == "evidence" and lines[1]["prompt_tokens"] == 0
    assert lines[2]["how"] == "error" and "line 2 of simple" in lines[2]["fault"]
    table = done.stdout.splitlines()
    assert max(map(len, table)) <= 80
    assert table[0].split() == "category right share 95 % names refused median".split()
    simple = next(line.split() for line in table if line.startswith("simple"))
    assert simple[1:4] == ["1/2", "50.0%", "9.5-90.5"]
    assert "simple:2" in done.stderr


def test_json_and_a_limit(data: Path) -> None:
    told = json.loads(invoke("--data", "bfcl", "--json", "-c", "simple", "--limit", "1").stdout)
    assert [case["id"] for case in told["cases"]] == ["s_0"]
    assert told["categories"].keys() == {"simple"}
    assert (told["totals"]["right"], told["totals"]["of"], told["totals"]["refused"]) == (1, 1, 0.0)


def test_what_is_not_there(data: Path) -> None:
    for arguments, named in (
        (["--data", "away"], "no data folder 'away'"),
        (["--data", "bfcl", "-c", "simpel"], "no category 'simpel'"),
        (["--data", "bfcl", "--out", "no/such.jsonl"], "cannot be written"),
    ):
        done = invoke(*arguments)
        assert done.exit_code == 2 and named in done.stderr and "hint: " in done.stderr
    assert invoke().exit_code == 2


def test_an_ablation(data: Path) -> None:
    asked = ["--data", "bfcl", "--ablate", "--arm", "no model", "--arm", "grammar", "--limit", "1"]
    done = invoke(*asked, "--out", "out.jsonl")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(line["arm"], line["id"]) for line in lines] == [
        (arm, case) for case in ("i_0", "s_0") for arm in ("no model", "grammar")
    ]
    table = [line for line in done.stdout.splitlines() if line.strip()]
    assert max(map(len, table)) <= 80
    assert table[0].split()[0] == "irrelevance" and "gained lost p" in " ".join(table[0].split())
    told = json.loads(invoke(*asked, "--json").stdout)["arms"]
    assert list(told) == ["irrelevance", "simple", "all"]
    assert [row["arm"] for row in told["simple"]] == ["no model", "grammar"]
    assert told["simple"][0]["right"] == 1 and told["simple"][0]["p"] is None and told["simple"][1]["p"] is not None


def test_an_arm_that_is_not_there(data: Path) -> None:
    done = invoke("--data", "bfcl", "--arm", "gramar")
    assert done.exit_code == 2 and "Did you mean 'grammar'?" in done.stderr


def test_published_tool_calls(data: Path) -> None:
    tool = {"name": "areaOfSquare", "description": "Compute the area of a square.", "required": ["side"]}
    tool["parameters"] = {"side": {"type": "int", "description": "Length of a side.", "required": True}}
    answer = {"tool": "areaOfSquare", "parameters": {"side": "7"}}
    case = {"query": "Compute the area of a square of side 7.", "tools": [tool], "answers": [answer]}
    (data / "published.json").write_text(json.dumps([case]))
    arguments = ["eval", "tools", "--data", "bfcl", "--out", "out.jsonl"]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    line = json.loads(Path("out.jsonl").read_text())
    assert done.exit_code == 0 and (line["id"], line["right"]) == ("published_0", True)
    assert any(row.split()[:3] == ["published", "1/1", "100.0%"] for row in done.stdout.splitlines())


def test_spans(data: Path) -> None:
    label = {"slot": "time", "valueSpan": {"startIndex": 11, "endIndex": 19}}
    rows = [{"userInput": {"text": "A table at 7:30 pm"}, "labels": [label]}, {"userInput": {}}]
    Path("test.json").write_text(json.dumps(rows))
    done = CliRunner().invoke(app, ["eval", "spans", "--data", "test.json", "--out", "o"], env={"COLUMNS": "80"})
    lines = [json.loads(line) for line in Path("o").read_text().splitlines()]
    assert (
        done.exit_code == 0
        and lines[0]["expected"] == {"time": "7:30 pm"}
        and "row 1" in lines[1]["error"]["message"]
    )
    assert done.stdout.splitlines()[0].split() == ["slot", "expected", "found", "right", "precision", "recall", "F1"]
    told = json.loads(CliRunner().invoke(app, ["eval", "spans", "--data", "test.json", "--json"]).stdout)
    assert told["totals"]["slots"]["time"]["expected"] == 1 and len(told["cases"]) == 2
    away = CliRunner().invoke(app, ["eval", "spans", "--data", "away.json"])
    assert away.exit_code == 2 and "no data file 'away.json'" in away.stderr
