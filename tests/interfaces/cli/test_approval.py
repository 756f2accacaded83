"""Asking at the terminal: what is shown, what each answer does, and that nobody is asked where there is nobody."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linnet import Tool
from linnet.interfaces.cli.approval import Asker, asker
from linnet.interfaces.cli.commands import app
from linnet.messages import ToolCall
from linnet.tools import Permission

SEND = Tool.from_schema("send", "Sends.", permissions=frozenset({Permission.NETWORK}))


def answers(*lines: str) -> Asker:
    return Asker(read=io.StringIO("".join(f"{line}\n" for line in lines)).readline)


@pytest.mark.parametrize(
    ("said", "found"), [("y", True), ("YES ", True), ("n", False), ("", False), ("what", False), ("a", True)]
)
def test_answers(said: str, found: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(said)(SEND, ToolCall("send", {"to": "a\x1b[2Jé"})) is found
    told = capsys.readouterr().err
    assert 'send({"to": "a\\u001b[2Jé"})\nwants network' in told and "\x1b" not in told


def test_one_question_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Two threads ask; while the first waits for its answer, nothing of the second's is shown."""
    shown: list[str] = []
    reading, second = threading.Event(), threading.Event()

    def read() -> str:
        reading.set()
        second.wait(60)
        time.sleep(0.1)
        shown.append(capsys.readouterr().err)
        return "y\n" if "1" in shown[-1] else "n\n"

    ask, found = Asker(read=read), {}

    def asked(number: int) -> None:
        if number == 2:
            reading.wait(60)
            second.set()
        found[number] = ask(SEND, ToolCall("send", {"to": str(number)}))

    threads = [threading.Thread(target=asked, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {1: True, 2: False} and [text.count("May it?") for text in shown] == [1, 1]


def test_what_was_typed_before_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        ask = Asker()
        os.write(ours, b"y\n")
        while not select.select([terminal], [], [], 5)[0]:
            pass
        forget = ask._forget

        def forgotten() -> None:
            forget()
            os.write(ours, b"n\n")

        ask._forget = forgotten
        assert not ask(SEND, ToolCall("send", {}))
    os.close(ours)


def test_at_the_end_of_input_it_is_no() -> None:
    assert not Asker(read=lambda: "")(SEND, ToolCall("send", {}))


def test_always_is_for_this_tool_with_these_permissions() -> None:
    ask = answers("a", "n", "n")
    assert ask(SEND, ToolCall("send", {"to": "a"})) and ask(SEND, ToolCall("send", {"to": "b"}))
    tainted = Tool.from_schema("send", "Sends.", permissions=SEND.permissions | {Permission.SEND_TAINTED})
    assert not ask(tainted, ToolCall("send", {}))
    assert not ask(Tool.from_schema("other", "O.", permissions=SEND.permissions), ToolCall("other", {}))


def test_what_is_too_long_to_be_shown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert not answers("y")(SEND, ToolCall("send", {"to": "x" * 3_000}))
    assert "too long to be shown" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asker() is None
    monkeypatch.setattr(sys, "stdin", None)
    assert asker() is None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


ASKED = 'write "milk" into todo.txt'


def test_on_the_command_line_without_a_terminal(home: Path) -> None:
    def run(*options: str) -> tuple[int, str]:
        given = ["run", "--root", str(home), "--tools", "files", *options, "--json", ASKED]
        done = CliRunner().invoke(app, given)
        return done.exit_code, json.loads(done.stdout)["answer"]

    assert run() == (3, "write_file did not work: write_file needs the permission files.write")
    assert run("--allow", "files.write", "--deny", "write_file")[0] == 3
    assert run("--allow", "write_file") == (0, "Written to todo.txt.")
    assert (home / "todo.txt").read_text() == "milk"


def test_on_a_terminal(home: Path) -> None:
    """A real one: the question comes, the answer is read, and the file is there, or not."""
    for typed, written in ((b"n\n", False), (b"y\n", True)):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "linnet", "run", "--root", str(home), "--tools", "files", ASKED]
        process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL)
        try:
            os.close(theirs)
            shown = b""
            while b"May it?" not in shown:
                shown += os.read(ours, 4_096)  # an error when the program has ended
            assert b'write_file({"text": "milk", "path": "todo.txt", "append": false})' in shown
            assert b"wants files.write" in shown
            os.write(ours, typed)
            assert process.wait(timeout=100) == (0 if written else 3)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        assert (home / "todo.txt").exists() is written
