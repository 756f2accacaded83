"""`linnet run` as a command: streams, exit codes, and no traceback, whatever it is given."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.run import EXAMPLE
from linnet.limits import LIMITS
from linnet.models import store

LINNET = (sys.executable, "-m", "linnet")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def invoke(*arguments: str, input: str | bytes | None = None) -> Result:
    """In this process, where streams and exit code are what typer makes of them."""
    return CliRunner().invoke(app, ["run", *arguments], input=input)


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*LINNET, *arguments], capture_output=True, text=True, timeout=60, **options)
    assert "Traceback" not in done.stderr
    return done


def tools_file(folder: Path, text: str, name: str = "mine.py") -> str:
    path = folder / name
    path.write_text(f"from linnet import tool\nfrom linnet import Tool\n{text}")
    return str(path)


# --- answers -------------------------------------------------------------------------------------


def test_a_run_with_an_id_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first, again = (process("run", "What is 17 times 24?", "--run-id", "r1") for _ in range(2))
    assert (first.returncode, first.stdout, first.stderr) == (0, "17 * 24 = 408\n", "")
    assert again.stdout == first.stdout and "the run r1 had ended before" in again.stderr
    other = process("run", "What is 17 times 25?", "--run-id", "r1")
    assert other.returncode == 2 and "another request" in other.stderr


def test_the_answer_alone_on_stdout() -> None:
    done = process("run", "What is 17 times 24?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "17 * 24 = 408\n", "")


def test_verbose_says_how_on_stderr() -> None:
    done = invoke("What is 17 times 24?", "--verbose")
    assert done.stdout == "17 * 24 = 408\n"
    assert done.stderr.startswith('rule · calculator(expression="17 * 24") · no tokens · 0.')


def test_json_is_one_object() -> None:
    done = invoke("What is 17 times 24?", "--json")
    told = json.loads(done.stdout)
    assert (told["answer"], told["how"], told["error"]) == ("17 * 24 = 408", "rule", None)
    assert [(call["name"], call["result"]) for call in told["calls"]] == [("calculator", 408)]
    assert {"steps", "usage", "seconds", "dropped", "degraded", "model"} <= set(told)
    assert done.stderr == ""


def test_the_example_of_the_help_runs() -> None:
    assert EXAMPLE in " ".join(invoke("--help").stdout.split())
    command = shlex.split(EXAMPLE.removeprefix("Example: "))
    assert command[:2] == ["linnet", "run"]
    assert invoke(*command[2:]).exit_code == 0


def test_a_request_on_standard_input() -> None:
    assert invoke("-", input="What is 2 + 3?\n").stdout == "2 + 3 = 5\n"


def test_files_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk and honey")
    done = invoke("read: notes.txt", "--root", str(tmp_path))
    assert done.exit_code == 0
    assert "milk and honey" in done.stdout


def test_a_model_answers(tmp_path: Path) -> None:
    done = process("run", "Say hello", "--json", "--context", "512", "--threads", "1")
    told = json.loads(done.stdout)
    assert (done.returncode, told["how"], told["model"]) == (0, "model", "smollm2-135m")
    assert told["usage"]["generated_tokens"] > 0
    assert told["answer"]


# --- bad requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "-"])
def test_an_empty_request(text: str) -> None:
    done = invoke(text, input="")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[0].startswith("error: the request is empty")
    assert done.stderr.splitlines()[1].startswith("hint: ")
    assert done.stdout == ""


def test_a_request_over_the_limit_is_not_read_to_its_end() -> None:
    done = process("run", "-", "--json", input="a" * (1 << 20))
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["code"] == "request_too_large"
    most = b"calc: 1" + b" " * (LIMITS.request_bytes - 7)
    assert invoke("-", input=most).exit_code == 0
    assert invoke("-", input=most + b" ").exit_code == 4


def test_bytes_that_are_not_text() -> None:
    assert "not UTF-8 at byte 3" in invoke("-", input=b"caf\xe9").stderr
    done = process("run", os.fsdecode(b"caf\xe9"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "not UTF-8 at byte 3" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("hi", "--nope"), ("hi", "--context", "many"), ("hi", "there"), ("hi", "--context", "0")],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")


def test_an_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_MODLE", "default")
    done = invoke("hi", "--json")
    assert done.exit_code == 2
    assert "did you mean LINNET_MODEL?" in json.loads(done.stdout)["error"]["message"]


def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    done = invoke("hi", "--root", str(tmp_path / "absent"))
    assert done.exit_code == 2
    assert "absent" in done.stderr


# --- bad models ----------------------------------------------------------------------------------


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    by_name, by_path = invoke("hi", "--model", "defualt"), invoke("hi", "-m", str(tmp_path / "no.gguf"))
    assert (by_name.exit_code, by_path.exit_code) == (2, 2)
    assert "did you mean 'default'?" in by_name.stderr
    assert "no.gguf" in by_path.stderr


def test_a_folder_as_a_model(tmp_path: Path) -> None:
    done = invoke("hi", "--model", f"{tmp_path}/")
    assert done.exit_code == 2
    assert "directory" in done.stderr


@pytest.mark.parametrize("size", [0, 1_000, 1 << 20, 8 << 20])
def test_a_truncated_model(tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.gguf"
    with store.locate("default").path.open("rb") as whole:
        cut.write_bytes(whole.read(size))
    done = invoke("hi", "--json", "--model", str(cut))
    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"]["code"] == "model_invalid"


# --- tools of the user's own ---------------------------------------------------------------------

RULED = """
from linnet.tools import Rule
@tool(rules=[Rule(prefix="do:", to="what")], deadline={deadline})
def act(what: str) -> str:
    {body}
"""


def ruled(body: str, deadline: float = 5) -> str:
    return RULED.format(body=body, deadline=deadline)


def test_a_tool_from_a_file_and_what_it_prints(tmp_path: Path) -> None:
    (tmp_path / "helper_of_mine.py").write_text("def shout(text): print('noise'); return text.upper()")
    path = tools_file(tmp_path, "from helper_of_mine import shout\nprint('loud')" + ruled("return shout(what)"))
    before = list(sys.path)
    done = invoke("do: it", "--tools", path, "--json")
    assert json.loads(done.stdout)["answer"] == "IT"
    assert done.stderr.split() == ["loud", "noise"]
    assert sys.path == before


def test_two_files_and_a_file_beside_that_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')")
    one = tools_file(tmp_path, "import json" + ruled("return 'one'"), "one.py")
    other = tools_file(tmp_path, "@tool\ndef more(n: int) -> int:\n    return n\n", "other.py")
    done = invoke("do: it", "--tools", f"{one}, {other}")
    assert (done.exit_code, done.stdout) == (0, "one\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@tool\ndef f(x: complex) -> int:\n    return 1\n", "'x' of type complex has no JSON form"),
        ("x = 1\n", "has no tools at its top level"),
        ("def (\n", "line 3"),
        ("\n\n1 / 0\n", "line 5, cannot be imported: ZeroDivisionError"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(0)\n", "cannot be imported: SystemExit"),
        (
            f"@tool\ndef f(x: int) -> int:\n    return 1\n{'g = tool(name=chr(102))(lambda: 1)'}\n",
            "named 'f'",
        ),
    ],
)
def test_a_tools_file_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    done = invoke("hi", "--tools", tools_file(tmp_path, text))
    assert done.exit_code == 2
    assert told in done.stderr
    assert "hint: " in done.stderr


def test_a_tools_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "no.py", tmp_path):
        done = invoke("hi", "--tools", str(path), "--json")
        assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (2, "input_invalid")


def test_a_tool_that_raises(tmp_path: Path) -> None:
    path = tools_file(tmp_path, ruled("raise ValueError('no such day')"))
    done = invoke("do: it", "--tools", path)
    assert done.exit_code == 1
    assert "no such day" in done.stdout + done.stderr
    assert "hint: " in done.stderr
    told = json.loads(invoke("do: it", "--tools", path, "--json").stdout)
    assert (told["error"]["code"], told["calls"][0]["error"]["code"]) == ("tool_failed", "tool_failed")


def test_a_tool_that_never_returns(tmp_path: Path) -> None:
    path = tools_file(tmp_path, ruled("import time\n    time.sleep(600)", deadline=0.5))
    done = process("run", "do: it", "--tools", path, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "tool_timeout")


# --- faults, and other ends ----------------------------------------------------------------------


def test_a_fault_of_our_own_is_one_line(tmp_path: Path) -> None:
    broken = "from linnet import Agent\nAgent.run = lambda *_, **__: {}['boom']\n@tool\ndef f() -> int: return 1\n"
    path = tools_file(tmp_path, broken)
    done = process("run", "hi", "--tools", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "KeyError: 'boom'" in done.stderr
    assert "report it" in done.stderr
    told = json.loads(process("run", "hi", "--tools", path, "--json").stdout)
    assert "KeyError" in told["error"]["message"]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    path = tools_file(tmp_path, "1 / 0\n")
    command = [*LINNET, "run", "hi", "--tools", path]
    done = subprocess.run(
        command, env={**os.environ, "LINNET_DEBUG": "1"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "1 / 0" in done.stderr


@pytest.mark.parametrize("arguments", [("run", "What is 2 + 2?"), ("--help",)])
def test_a_reader_that_has_gone(arguments: tuple[str, ...]) -> None:
    running = subprocess.Popen([*LINNET, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout and running.stderr
    running.stdout.close()
    with running.stderr as stderr:
        assert stderr.read() == b""
    assert running.wait(60) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("run", "What is 2 + 2?"), ("limits",), ("--help",)])
def test_a_full_disk(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*LINNET, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_ctrl_c_leaves_nothing_behind() -> None:
    command = [*LINNET, "run", "Write a very long story about a lighthouse"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 30
    while len(workers := children(running.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # into loading or answering
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, b"", b"")
    assert len(workers) == 2
    deadline = time.monotonic() + 2
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def on_a_terminal(*arguments: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    running = subprocess.Popen([*LINNET, *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal so
        while piece := os.read(ours, 4_096):
            output += piece
    os.close(ours)
    return running.wait(60), output.decode()


def test_a_terminal_is_told_how_and_is_not_driven(tmp_path: Path) -> None:
    path = tools_file(tmp_path, ruled(r"return 'red \x1b[31m \x07 \u202e'"))
    code, shown = on_a_terminal("run", "do: it", "--tools", path)
    assert code == 0
    assert shown.startswith(r"red \x1b[31m \x07 \u202e" + "\r\n")
    assert "\x1b[2mrule · act(" in shown
    assert invoke("do: it", "--tools", path).stdout == "red \x1b[31m \x07 \u202e\n"  # a pipe gets it as it is


def test_version_and_the_two_ways_to_start() -> None:
    script = Path(sys.executable).with_name("linnet")
    both = [process("--version").stdout, subprocess.check_output([script, "--version"], text=True)]
    assert both == ["linnet 0.1.0\n"] * 2
    assert process().returncode == 2
