"""`linnet batch` as a command: rows, exit codes, a bar on a terminal only; and killed by SIGKILL at many moments."""

from __future__ import annotations

import json
import os
import pty
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.batch import EXAMPLE
from linnet.interfaces.cli.commands import app

ROOT = Path(__file__).parents[3]
LINNET = (sys.executable, "-m", "linnet")
TOOLS = '''
import os, pathlib, time
from linnet import Rule, tool

@tool(rules=[Rule(prefix="append", to="what")])
def append(what: str) -> str:
    """Append a word to the log."""
    with open(pathlib.Path(__file__).with_name("log"), "a") as log:
        log.write(what + "\\n")
    time.sleep(0.05)
    return what
'''


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def asked(tmp_path: Path, *requests: dict[str, Any] | str) -> str:
    file = tmp_path / "requests.jsonl"
    file.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests))
    return str(file)


def sums(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{i}", "text": f"What is {i} plus {i}?"} for i in range(count)]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["batch", *arguments])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_answers_have_the_order_of_the_requests_and_the_form_of_run(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = invoke(asked(tmp_path, *sums(30)), "--out", str(out), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert told.pop("seconds") > 0
    assert told == {"requests": 30, "done": 30, "failed": 0, "interrupted": 0, "kept": 0, "out": str(out)}
    found = rows(out)
    assert [(row["id"], row["line"], row["answer"]) for row in found] == [
        (f"s{i}", i + 1, f"{i} + {i} = {2 * i}") for i in range(30)
    ]
    single = CliRunner().invoke(app, ["run", "What is 2 plus 2?", "--json"])
    assert list(found[0]) == ["id", "line", *json.loads(single.stdout)]


def test_bad_lines_and_bad_requests_are_rows_and_the_rest_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = invoke(
        asked(tmp_path, *sums(1), "{", {"id": 5, "text": " "}, {"id": "late", "text": "1 + 1"}), "--out", str(out)
    )
    assert done.exit_code == 1
    assert done.stdout.startswith("4 requests: 2 done, 2 failed · ")
    assert [(row["id"], row["line"], row["how"]) for row in rows(out)] == [
        ("s0", 1, "rule"), (None, 2, "failed"), (5, 3, "failed"), ("late", 4, "rule"),
    ]  # fmt: skip
    assert [row["error"] and row["error"]["code"] for row in rows(out)] == [
        None, "input_invalid", "empty_request", None,
    ]  # fmt: skip


def test_an_id_that_stands_there_twice_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = invoke(asked(tmp_path, *sums(2), *sums(1)), "--out", str(out))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "hint: Give each request an id of its own." in done.stderr
    assert not out.exists()


def test_an_output_is_gone_on_with_and_never_overwritten(tmp_path: Path) -> None:
    out, first = tmp_path / "out.jsonl", asked(tmp_path, *sums(3))
    assert invoke(first, "--out", str(out)).exit_code == 0
    before = out.read_text()
    again = invoke(first, "--out", str(out))
    assert again.exit_code == 2 and "--resume" in again.stderr
    assert out.read_text() == before
    done = invoke(asked(tmp_path, *sums(5)), "--out", str(out), "--resume", "--json")
    assert {"requests": 5, "done": 5, "kept": 3}.items() <= json.loads(done.stdout).items()
    assert out.read_text().startswith(before)
    assert [row["id"] for row in rows(out)] == [f"s{i}" for i in range(5)]


def test_what_failed_is_run_once_more_when_that_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    invoke(asked(tmp_path, {"id": "a", "text": " "}, "{", *sums(1)), "--out", str(out))
    mended = asked(tmp_path, {"id": "a", "text": "3 + 3"}, {"id": "b", "text": "4 + 4"}, *sums(1))
    kept = invoke(mended, "--out", str(out), "--resume", "--json")
    assert (kept.exit_code, json.loads(kept.stdout)["failed"]) == (1, 1)
    done = invoke(mended, "--out", str(out), "--retry", "--json")
    assert {"done": 3, "failed": 0, "kept": 2}.items() <= json.loads(done.stdout).items()
    assert [(row["id"], row["answer"]) for row in rows(out)][:2] == [("a", "3 + 3 = 6"), ("b", "4 + 4 = 8")]


def test_an_empty_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = invoke(asked(tmp_path), "--out", str(out))
    assert (done.exit_code, out.read_text()) == (0, "")


@pytest.mark.parametrize("arguments", [(), ("none.jsonl",), ("none.jsonl", "--out", "x"), ("--at-once", "0")])
def test_wrong_use_is_told_as_such(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 2 and done.stderr
    assert not (tmp_path / "x").exists()


def test_a_bar_on_a_terminal_and_none_in_a_pipe(tmp_path: Path) -> None:
    requests, (leader, follower) = asked(tmp_path, *sums(3)), pty.openpty()
    command = [*LINNET, "batch", requests, "--out", str(tmp_path / "a")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, text=True, timeout=60, check=True)
    os.close(follower)
    assert "answering" in os.read(leader, 65536).decode()
    os.close(leader)
    assert done.stdout.startswith("3 requests: 3 done · ")
    piped = subprocess.run([*command[:-1], str(tmp_path / "b")], capture_output=True, timeout=60, check=True)
    assert piped.stderr == b""


def test_the_example_of_the_help_can_be_run() -> None:
    assert EXAMPLE in " ".join(invoke("--help").stdout.split())
    words = shlex.split(EXAMPLE.removeprefix("Example: "))
    assert (ROOT / words[2]).is_file() and (ROOT / words[4]).is_file()


# --- killed --------------------------------------------------------------------------------------


def begun(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_at_many_moments_nothing_is_done_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    count, out = 40, tmp_path / "out.jsonl"
    (tmp_path / "tools.py").write_text(TOOLS)
    requests = asked(tmp_path, *({"id": i, "text": f"append word{i}"} for i in range(count)))
    command = [*LINNET, "batch", requests, "--out", str(out), "--tools", str(tmp_path / "tools.py"), "--resume"]
    generator, kills = random.Random(4), 0
    for after in (0, 1, 5, 9, 17, 26):
        running = subprocess.Popen([*command, "--at-once", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while begun(out) < after and running.poll() is None:
            time.sleep(0.002)
        time.sleep(generator.random() * 0.06)
        running.send_signal(signal.SIGKILL)
        kills += running.wait() == -signal.SIGKILL
        running.communicate()
        assert (
            all(line == "" or json.loads(line) for line in out.read_text().split("\n")[:-1]) if out.exists() else True
        )
    assert kills >= 5
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    ran = Counter((tmp_path / "log").read_text().split())
    found = {row["id"]: row for row in rows(out)}
    assert list(found) == list(range(count))
    assert set(ran.values()) == {1}, "a tool ran twice"
    interrupted = [id for id, row in found.items() if row["how"] == "interrupted"]
    answered = [id for id, row in found.items() if row["how"] == "rule" and row["answer"] == f"word{id}"]
    assert sorted(interrupted + answered) == list(range(count))
    assert all(f"word{id}" in ran for id in answered)
    assert 0 < len(interrupted) <= 3 * kills
    assert all(found[id]["error"]["code"] == "tool_interrupted" for id in interrupted)
    assert done.returncode == 1 and f"{len(interrupted)} interrupted" in done.stdout
    assert not (tmp_path / "out.jsonl.begun").exists()
    # Asked for, they are run once more.
    again = subprocess.run([*command, "--retry"], capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert {row["how"] for row in rows(out)} == {"rule"}
