"""`linnet chat` over a pipe: lines in, answers out, nothing else; with --json one object for each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.chat.app import EXAMPLE
from linnet.interfaces.cli.commands import app

TOOLS = """
from linnet import tool
from linnet.tools import Rule
@tool(rules=[Rule(prefix="send:", to="text")], permissions=["network"])
def send(text: str) -> str:
    print("noise")
    return "sent " + text
@tool(rules=[Rule(prefix="fail:", to="text")])
def fail(text: str) -> str:
    raise ValueError(text)
"""


def chat(typed: str | bytes, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["chat", *arguments], input=typed)


def objects(typed: str, *arguments: str) -> list[Any]:
    done = chat(typed, "--json", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def tools(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(TOOLS)
    return str(tmp_path / "mine.py")


def test_the_example_of_the_help_runs() -> None:
    shown = " ".join(chat("", "--help").stdout.split())
    assert EXAMPLE in shown
    script = Path(sys.executable).with_name("linnet")
    command = EXAMPLE.removeprefix("Example: ").replace("linnet", str(script))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "17 * 24 = 408\n", "")


def test_answers_and_nothing_else() -> None:
    done = chat("What is 2 + 3?\n\nWhat is \\\n3 + 4?\n/quit\nWhat is 1 + 1?\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "2 + 3 = 5\n3 + 4 = 7\n", "")
    assert chat("").stdout == ""


def test_one_object_for_each_as_run_prints_it() -> None:
    turn, trace, wrong, last = objects("What is 2 + 3?\n/trace\n/trcae\n/retry\n")
    assert (turn["answer"], turn["how"], turn["calls"][0]["name"]) == ("2 + 3 = 5", "rule", "calculator")
    assert {"steps", "usage", "seconds", "dropped", "degraded", "model", "error"} <= set(turn)
    assert trace["command"] == "trace" and trace["steps"]
    assert wrong["error"]["code"] == "input_invalid" and wrong["error"]["hint"] == "Did you mean /trace?"
    assert last["answer"] == turn["answer"]


def test_commands_are_tables_without_colour() -> None:
    done = chat("/tools\n/help\n/xyzzy\n")
    assert done.exit_code == 0 and "\x1b" not in done.stdout
    assert "calculator" in done.stdout and "/retry" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr.startswith("error: there is no command /xyzzy\nhint: ")


def test_nobody_is_asked_and_what_tools_print_is_no_answer(tools: str) -> None:
    done = chat("send: a\nfail: b\n", "--tools", tools)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "send did not work: send needs the permission network"
    assert done.stdout.splitlines()[1] == "fail did not work: fail: ValueError: b"
    assert 'not run: send(text="a")' in done.stderr
    allowed = chat("send: a\n", "--tools", tools, "--allow", "network")
    assert (allowed.stdout, allowed.stderr) == ("sent a\n", "noise\n")
    denied = chat("send: a\n", "--tools", tools, "--allow", "network", "--deny", "send")
    assert "sent" not in denied.stdout


def test_an_entry_that_cannot_be_used_costs_itself_only() -> None:
    done = chat(b"caf\xe9\n" + b"a" * 600_000 + b"\nWhat is 2 + 3?\n")
    assert (done.exit_code, done.stdout) == (0, "2 + 3 = 5\n")
    assert "byte 3" in done.stderr and "524,288 bytes" in done.stderr


def test_what_cannot_begin_ends_with_its_own_code(tmp_path: Path) -> None:
    assert chat("hi\n", "--model", "nope").exit_code == 2
    done = chat("hi\n", "--json", "--resume", str(tmp_path / "none"))
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (2, "input_invalid")
    assert chat("hi\n", "--root", str(tmp_path / "none")).exit_code == 2


def test_a_conversation_with_the_model_is_saved_resumed_and_asked_again(tmp_path: Path) -> None:
    """The real one, twice."""
    file = tmp_path / "talk.json"
    small = ("--context", "512", "--threads", "1")
    turn, context, trace, saved, gone, model = objects(
        f"Say hello\n/context\n/trace\n/save {file}\n/model nope\n/model smollm2-135m\n", *small
    )
    assert (turn["how"], saved["messages"]) == ("model", 2)
    assert context["window"] == 512 == sum(context["sections"].values())
    assert context["sections"]["history"] > 0 and context["sections"]["system"] > 0
    answered = trace["steps"][-1]
    assert (answered["kind"], answered["usage"]["generated_tokens"]) == (
        "answer",
        turn["usage"]["generated_tokens"] - chosen(trace),
    )
    assert gone["error"]["code"] == "model_not_found" and model["model"] == "smollm2-135m"
    assert json.loads(file.read_text())["messages"][1] == {"role": "assistant", "content": turn["answer"]}
    again, kept = objects(f"/retry\n/save {file}\n", "--resume", str(file), *small)
    assert (again["how"], kept["messages"]) == ("model", 2)
    assert again["answer"] == turn["answer"], "it is greedy"


def chosen(trace: Any) -> int:
    return sum(step["usage"]["generated_tokens"] for step in trace["steps"][:-1])
