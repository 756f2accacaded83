"""`linnet batch --ray`, as a command on a cluster of its own: killed by SIGKILL and gone on with, a replica that
dies, and what is refused. A start of Ray takes ten seconds of two cores, so all is tried in two."""

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
from linnet.interfaces.scale import batch
from linnet.interfaces.scale.shares import Share

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


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.usefixtures("with_ray")
@pytest.mark.timeout(400)
def test_a_driver_killed_and_a_replica_killed_and_nothing_is_done_twice(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    count, out = 60, tmp_path / "out.parquet"
    (tmp_path / "tools.py").write_text(TOOLS)
    texts = [*(f"append word{i}" for i in range(count)), None, "end now", *(f"What is {i} + {i}?" for i in range(9))]
    requests = [{"id": i, "text": text} for i, text in enumerate(texts)]
    parquet.write_table(Table.from_pylist(requests), tmp_path / "r.parquet", row_group_size=32)
    command = [*LINNET, "batch", "r.parquet", "--tools", "tools.py", "--json"]
    replicas = str(min(2, batch._cores()))  # each wants one
    on_ray = [*command, "--out", str(out), "--ray", "--replicas", replicas, "--at-once", "1", "--resume"]
    growing = tmp_path / "out.parquet.jsonl"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    running = subprocess.Popen(on_ray, **pipes)
    deadline = time.monotonic() + 150
    while lines_of(growing) < 7 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, running.communicate()
    running.communicate()
    early = lines_of(growing)
    assert 7 <= early < count and not out.exists()

    done = subprocess.run(on_ray, **pipes, timeout=200)
    assert done.returncode == 1, (done.stdout, done.stderr)
    told = json.loads(done.stdout)
    ran = Counter((tmp_path / "log").read_text().split())
    found = parquet.read_table(out).to_pylist()
    assert [row["id"] for row in found] == list(range(len(texts))), "the order of the requests"
    assert set(ran.values()) == {1}, "a tool ran twice"
    by_how = {how: [row["id"] for row in found if row["how"] == how] for how in ("rule", "interrupted", "failed")}
    assert by_how["failed"] == [count]
    assert count + 1 in by_how["interrupted"], "its tool had begun when its replica died"
    assert len(by_how["interrupted"]) <= 2 + 2, "what ran together, each time"
    assert told.pop("kept") >= early and told.pop("seconds") > 0 and told.pop("out") == str(out)
    assert told == {
        "requests": len(texts),
        "done": len(by_how["rule"]),
        "failed": 1,
        "interrupted": len(by_how["interrupted"]),
    }
    assert not growing.with_name(growing.name + ".begun").exists()

    parquet.write_table(Table.from_pylist([r for r in requests if r["text"] != "end now"]), tmp_path / "r.parquet")
    here = tmp_path / "here.parquet"
    assert subprocess.run([*command, "--out", str(here)], **pipes, timeout=100).returncode == 1
    same = {row["id"]: alike(row) for row in parquet.read_table(here).to_pylist()}
    assert all(same[row["id"]] == alike(row) for row in found if row["how"] == "rule")


def alike(row: dict[str, Any]) -> dict[str, Any]:
    """What is the same wherever a request was answered. The one that is left out below moves others up a line."""
    return {name: value for name, value in row.items() if name not in ("line", "seconds", "calls", "steps")}


def test_a_share_is_read_as_it_stands_in_the_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra linnet[ray] is not installed: no pyarrow")
    file = asked(tmp_path / "r.jsonl", {"id": 1, "text": "a"}, "", "{", {"id": 2, "text": "é"})
    (block,) = batch._reader(file, Share(number=3, at=file.read_bytes().index(b"{\n"), count=2))()
    assert block.to_pylist() == [{"line": 3, "body": b"{"}, {"line": 4, "body": b'{"id": 2, "text": "\\u00e9"}'}]


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
    assert lines_of(out) == 1 and done.stdout.splitlines()[-1:] == ["[]"], done.stderr
