"""`linnet parse`: one text from standard input, or a file of them, and the cases that its peers agree on."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.calling.dialects.families import FAMILIES
from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.parse import EXAMPLE
from linnet.limits import LIMITS

CASES = Path(__file__).parents[4] / "shared" / "data" / "tool_text" / "cases.jsonl"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}}}]
HERMES = '<tool_call>{"name": "f", "arguments": {"a": "1"}}</tool_call>'


def run(*words: str, text: str = "") -> Result:
    return CliRunner().invoke(app, ["parse", *words], input=text)


def read(*words: str, text: str = "") -> dict[str, Any]:
    done = run("--json", *words, text=text)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def tools(tmp_path: Path) -> str:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    return str(path)


def test_the_example_runs() -> None:
    said, command = re.fullmatch(r"Example: echo (.*) \| linnet parse (.*)", EXAMPLE).groups()  # type: ignore[union-attr]
    found = read(*shlex.split(command)[:2], text=shlex.split(said)[0])
    assert found["calls"] == [{"name": "add", "arguments": {"a": 2}}] and found["strategy"] == "native:mistral"
    help_text = " ".join(run("--help").stdout.split())
    assert " ".join(EXAMPLE.split()) in help_text


def test_what_is_printed() -> None:
    found = read("--dialect", "hermes", text=f"<think>Hm.</think>Yes. {HERMES}")
    assert found == {
        "content": "Yes.",
        "reasoning": "Hm.",
        "calls": [{"name": "f", "arguments": {"a": "1"}}],
        "strategy": "native:hermes",
        "repairs": [],
        "unknown": [],
        "failures": [],
        "guesses": [],
    }
    told = run("--dialect", "hermes", text=HERMES.removesuffix("</tool_call>")).stdout.splitlines()
    assert told == [
        'call: f {"a": "1"}',
        "strategy: native:hermes",
        "repair: f: the end marker </tool_call> was missing",
    ]


def test_tools_type_and_judge_and_repair_only_when_asked(tools: str) -> None:
    assert read("--tools", tools, text=HERMES)["calls"][0]["arguments"] == {"a": "1"}
    repaired = read("--tools", tools, "--repair", text=HERMES.replace('"f"', '"F"'))
    assert repaired["calls"] == [{"name": "f", "arguments": {"a": 1}}] and len(repaired["repairs"]) == 2
    assert read("--tools", tools, text=HERMES.replace('"f"', '"gone"'))["unknown"] == ["gone"]
    assert read("--tools", tools, "--repair", text=HERMES.replace('"f"', '"gone"'))["unknown"] == ["gone"]
    assert "no tool 'gone'" in run("--tools", tools, text=HERMES.replace('"f"', '"gone"')).stderr


def test_mode() -> None:
    text = "<think>Hm.</think>Yes."
    assert read("--mode", "tool_only", text=text)["content"] == text


def test_guesses_are_apart_from_calls() -> None:
    text = 'I would say {"name": "f", "arguments": {"a": 1}} here.'
    for family in ("auto", "hermes"):
        found = read("--dialect", family, text=text)
        assert found["calls"] == [] and found["content"] == text and found["strategy"] == "json"
        assert found["guesses"] == [{"name": "f", "arguments": {"a": 1}, "guessed": True}]
    alone = read(text='```json\n{"name": "f", "arguments": {"a": 1}}\n```')
    assert len(alone["calls"]) == 1 and alone["strategy"] == "code_block" and alone["content"] == ""


def test_a_file_of_cases(tmp_path: Path, tools: str) -> None:
    path = tmp_path / "cases.jsonl"
    lines = [
        {"id": "1", "raw": HERMES, "family": "hermes", "mode": "full", "tools": None, "options": {}},
        {"id": 2, "raw": "[f(a=1)]"},
        {"id": "x", "raw": "hello", "family": "klingon", "options": {"full": 1, "text": 2}},
        {"id": "y", "raw": "thinking", "family": "qwen3", "options": {"starts_in_reasoning": True, "name": "z"}},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    done = run("--jsonl", str(path))
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in found] == ["1", 2, "x", "y"]
    assert found[0]["calls"] == [{"name": "f", "arguments": {"a": "1"}}]
    assert found[1]["calls"] == [{"name": "f", "arguments": {"a": 1}}]
    assert "no dialect 'klingon'" in found[2]["failures"][0]["reason"] and found[2]["content"] == "hello"
    assert found[3]["reasoning"] == "thinking"


def test_a_case_that_cannot_be_read_has_a_line_with_the_error(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({"id": 1, "raw": "x" * (LIMITS.parse_chars + 1)}) + '\n{"id": 2, "raw": "y"}\n')
    done = run("--jsonl", str(path))
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.exit_code == 0 and first["error"]["code"] == "request_too_large" and first["calls"] == []
    assert first["id"] == 1 and second["content"] == "y"


@pytest.mark.parametrize("line", ["{oops", "[1]", '{"raw": 5}', '{"id": 1}', "[" * 100_000])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({"id": 1, "raw": "x"}) + f"\n{line}\n")
    done = run("--jsonl", str(path))
    first, error = map(json.loads, done.stdout.splitlines())
    assert done.exit_code == 2 and first["id"] == 1
    assert error["error"]["code"] == "input_invalid" and "line 2 of" in error["error"]["message"]


def test_what_cannot_be_read_is_a_typed_error(tmp_path: Path) -> None:
    assert run("--jsonl", str(tmp_path / "none")).exit_code == 2
    assert run("--tools", str(tmp_path / "none"), text="x").exit_code == 2
    (tmp_path / "tools.json").write_text('[{"description": "nameless"}]')
    assert run("--tools", str(tmp_path / "tools.json"), text="x").exit_code == 2
    done = run("--dialect", "klingon", text="x")
    assert done.exit_code == 2 and "klingon" in done.stderr and "hermes" in done.stderr
    done = run("--json", text="x" * (LIMITS.parse_chars + 1))
    assert json.loads(done.stdout)["error"]["code"] == "request_too_large"


# --- the public cases ----------------------------------------------------------------------------

JUDGED = {
    "calls": lambda line: len(line["calls"]),
    "names": lambda line: [call["name"] for call in line["calls"]],
    "arguments": lambda line: [call["arguments"] for call in line["calls"]],
    "content": lambda line: (line["content"] or "").strip(),
    "reasoning": lambda line: (line["reasoning"] or "").strip(),
}


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    if not CASES.exists():
        pytest.skip(f"{CASES} is not there")
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def misses(cases: list[dict[str, Any]], path: Path, **changes: Any) -> list[str]:
    path.write_text("\n".join(json.dumps({**case, **changes}) for case in cases))
    done = run("--jsonl", str(path))
    assert done.exit_code == 0, done.output
    wrong = []
    for case, line in zip(cases, map(json.loads, done.stdout.splitlines()), strict=True):
        expected = {**case["expected"], "calls": case["expected"]["tool_calls"]}
        fields = [f for f in case["asserted"] if f in JUDGED and JUDGED[f](line) != JUDGED[f](expected)]
        wrong += [f"{case['id']}: {', '.join(fields)}"] if fields else []
    return wrong


def test_97_percent_of_the_public_cases(cases: list[dict[str, Any]], tmp_path: Path) -> None:
    wrong = misses(cases, tmp_path / "cases.jsonl")
    assert len(wrong) <= 0.03 * len(cases), "\n".join(wrong)


def test_95_percent_without_being_told_the_family(cases: list[dict[str, Any]], tmp_path: Path) -> None:
    wrong = misses(cases, tmp_path / "cases.jsonl", family="auto")
    assert len(wrong) <= 0.05 * len(cases), "\n".join(wrong)


def test_every_family_of_the_cases_has_a_row(cases: list[dict[str, Any]]) -> None:
    assert {case["family"] for case in cases} <= FAMILIES.keys()
