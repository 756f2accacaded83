"""Storage: programs killed at the worst moment, disks that fill up, poisoned caches, forged log lines, pulls cut."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from harness import Trial, case, expect, kill, of_pytest

PROGRAM = """
import json, os, sys, time
from linnet.agent.agent import Agent
from linnet.requests import Capabilities
from linnet.tools import Rule, tool

class Nobody:
    capabilities = Capabilities("nobody", 100)
    stream = None

@tool(rules=[Rule(prefix="note", to="what")])
def note(what: str) -> str:
    "Notes something down."
    fd = os.open(sys.argv[1] + "/file", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, (what + "\\n").encode())
    os.close(fd)
    time.sleep(float(sys.argv[2]))
    return "noted " + what

with Agent([note], Nobody(), runs=sys.argv[1] + "/runs.db") as agent:
    print("begun", flush=True)
    result = agent.run("note a, then note b, then note c, then note d", run_id="r")
print(json.dumps(result.describe()), flush=True)
"""


@case("tool once", "Tools", small=1, plain=60, worst="of a run with its kills")
def a_tool_runs_at_most_once_per_call_id(trial: Trial) -> None:
    """P3: a program with a tool that appends a line is killed with -9 at random moments and started again with the
    same run id until done: no line is there twice, none is claimed that is not there, at most one is unknown."""
    for number in trial.rounds():
        with trial.attempt():
            folder = trial.folder / str(number)
            folder.mkdir()
            result = _until_done(folder, trial.draw)
            path = folder / "file"
            lines = path.read_text().split() if path.exists() else []
            expect(lines == sorted(set(lines)), f"a tool ran twice, or out of order: {lines}")
            known = [call["arguments"]["what"] for call in result["calls"] if call["error"] is None]
            expect(set(known) <= set(lines), "an outcome was made up")
            expect([line for line in lines if line not in known] in ([], lines[-1:]), "more than one is unknown")
            told = result["error"]["code"] if result["error"] else None
            expect(told == "tool_interrupted" or (told is None and lines == list("abcd")), f"{told}: {lines}")


def _until_done(folder: Path, draw: random.Random) -> dict[str, object]:
    """What the program says at last, after up to four kills."""
    for left in range(4, -1, -1):
        command = [sys.executable, "-c", PROGRAM, str(folder), str(draw.choice((0.0, 0.02)))]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        program.stdout.readline()
        if left:
            time.sleep(draw.uniform(0.0, 0.12))
            kill(program.pid)
        said, _ = program.communicate(timeout=120)
        if said:
            return dict(json.loads(said))
    raise AssertionError("unkilled, it said nothing")


WRITER = """
import sys
from pathlib import Path
from linnet.storage import write_json
path, value = Path(sys.argv[1]), 0
print("begun", flush=True)
while True:
    value += 1
    write_json(path, {"value": value, "filler": "x" * 200_000, "same": value})
"""


@case("torn", "Storage", small=3, plain=100, worst="of an attempt")
def no_visible_file_is_torn(trial: Trial) -> None:
    """P10: whoever replaces a file without end is killed at a random moment; what is visible is whole."""
    path = trial.folder / "visible.json"
    for _ in trial.rounds():
        with trial.attempt():
            program = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
            assert program.stdout is not None
            program.stdout.readline()
            time.sleep(trial.draw.uniform(0.0, 0.1))
            kill(program.pid)
            program.communicate()
            if path.exists():
                value = json.loads(path.read_bytes())
                expect(value["value"] == value["same"], "two halves of two values")


of_pytest("pulls", "Storage", "tests/models/test_pull.py", "tests/models/test_pull_killed.py")
of_pytest(
    "caches", "Storage", "tests/test_storage.py", "tests/agent/test_cache.py", "tests/runtime/test_snapshots_store.py"
)
of_pytest("log", "Storage", "tests/test_log.py")
