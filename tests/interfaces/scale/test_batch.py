"""`linnet batch --ray`, as a command on a cluster of its own: killed by SIGKILL and gone on with, a replica that dies,
and what is refused. Two cores are few: every start of Ray takes seconds, so there are as few as can be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from linnet.interfaces.cli.commands import app

LINNET = (sys.executable, "-m", "linnet")
TOOLS = '''
import os, pathlib, signal, time
from linnet import Rule, tool

HERE = pathlib.Path(__file__).parent

@tool(rules=[Rule(prefix="append", to="what")])
def append(what: str) -> str:
    """Append a word to the log."""
    with open(HERE / "log", "a") as log:
        log.write(what + "\\n")
    time.sleep(0.1)
    return what

@tool(rules=[Rule(prefix="end", to="what")])
def end(what: str) -> str:
    """End the process that runs this."""
    with open(HERE / "log", "a") as log:
        log.write(what + "\\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return what
'''


@pytest.fixture
def with_ray() -> None:
    pytest.importorskip("ray.data", reason="the extra linnet[ray] is not installed: no Ray")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def asked(path: Path, *requests: dict[str, Any] | str) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.usefixtures("with_ray")
@pytest.mark.timeout(300)
def test_a_driver_killed_and_a_replica_killed_and_nothing_is_done_twice(tmp_path: Path) -> None:
    count, out = 60, tmp_path / "out.jsonl"
    (tmp_path / "tools.py").write_text(TOOLS)
    words = [{"id": i, "text": f"append word{i}"} for i in range(count)]
    file = asked(tmp_path / "r.jsonl", *words, "{", {"id": "end", "text": "end now"})
    command = [*LINNET, "batch", str(file), "--out", str(out), "--tools", "tools.py", "--ray", "--at-once", "2"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    running = subprocess.Popen([*command, "--json"], **pipes)
    deadline = time.monotonic() + 120
    while lines_of(out) < 7 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, running.communicate()
    running.communicate()
    early = lines_of(out)
    assert 7 <= early < count

    done = subprocess.run([*command, "--resume", "--json"], **pipes, timeout=200)
    told = json.loads(done.stdout)
    assert done.stderr == "" and done.returncode == 1
    ran = Counter((tmp_path / "log").read_text().split())
    found = {row["id"]: row for row in rows(out)}
    assert list(found) == [*range(count), None, "end"], "the order of the requests"
    assert set(ran.values()) == {1}, "a tool ran twice"
    interrupted = [id for id, row in found.items() if row["how"] == "interrupted"]
    answered = [id for id, row in found.items() if row["how"] == "rule" and row["answer"] == f"word{id}"]
    assert sorted([*(id for id in interrupted if id != "end"), *answered]) == list(range(count))
    assert all(f"word{id}" in ran for id in answered)
    assert "end" in interrupted, "its tool had begun when its replica died"
    assert len(interrupted) <= 2 + 2, "at most what ran together, each time"
    assert found[None]["error"]["code"] == "input_invalid"
    assert told["kept"] >= early - 1 and told["done"] == len(answered) and told["failed"] == 1
    assert told["interrupted"] == len(interrupted) and told["requests"] == count + 2
    assert not out.with_name("out.jsonl.begun").exists()


@pytest.mark.usefixtures("with_ray")
@pytest.mark.timeout(300)
def test_parquet_in_and_out_as_the_single_machine_has_it(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    requests = [{"id": f"s{i}", "text": f"What is {i} plus {i}?"} for i in range(20)] + [{"id": "none", "text": None}]
    parquet.write_table(pa.Table.from_pylist(requests), tmp_path / "r.parquet", row_group_size=8)
    tables, counts = [], []
    for name, more in (("here", []), ("there", ["--ray", "--replicas", "2", "--unordered"])):
        out = tmp_path / f"{name}.parquet"
        command = [*LINNET, "batch", "r.parquet", "--out", str(out), "--json", *more]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=200)
        assert (done.returncode, done.stderr) == (1, ""), done.stdout
        counts.append(
            {name: value for name, value in json.loads(done.stdout).items() if name not in ("seconds", "out")}
        )
        rows = sorted(parquet.read_table(out).to_pylist(), key=lambda row: row["line"])
        tables.append(
            [
                {name: value for name, value in row.items() if name not in ("seconds", "calls", "steps")}
                for row in rows
            ]
        )
    assert counts[0] == counts[1] == {"requests": 21, "done": 20, "failed": 1, "interrupted": 0, "kept": 0}
    assert tables[0] == tables[1]
    assert tables[0][3]["answer"] == "3 + 3 = 6"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--ray", "--tools-in-order"), "--tools-in-order"),
        (("--replicas", "2"), "Add --ray"),
        (("--address", "auto"), "Add --ray"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    file, out = asked(tmp_path / "r.jsonl"), tmp_path / "out.jsonl"
    done = CliRunner().invoke(app, ["batch", str(file), "--out", str(out), *arguments])
    assert done.exit_code == 2 and told in done.stderr
    assert not out.exists()


def test_without_ray_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    file, out = asked(tmp_path / "r.jsonl"), tmp_path / "out.jsonl"
    done = CliRunner().invoke(app, ["batch", str(file), "--out", str(out), "--ray"])
    assert done.exit_code == 2 and "pip install 'linnet[ray]'" in done.stderr
    assert not out.exists()


def test_nothing_of_ray_is_imported_without_the_flag(tmp_path: Path) -> None:
    file, out = asked(tmp_path / "r.jsonl", {"id": 1, "text": "1 + 1"}), tmp_path / "out.jsonl"
    program = (
        "import sys; from linnet.interfaces.cli.commands import app\n"
        f"app(['batch', {str(file)!r}, '--out', {str(out)!r}], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('ray', 'pyarrow')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert lines_of(out) == 1 and done.stdout.splitlines()[-1:] in ([], ["[]"]), done.stderr
