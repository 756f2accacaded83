"""Programs are run as vectors of words, in the sandbox, and what they print is bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linnet.agent.tools import shell as module
from linnet.agent.tools.shell import Shell, shell, vector
from linnet.errors import ToolDenied, ToolFailed, ToolTimeout
from linnet.tools import Permission


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("df -h", ["df", "-h"]),
        ('grep -n "two words" notes.txt', ["grep", "-n", "two words", "notes.txt"]),
        ("echo 'a | b' \"; rm\"", ["echo", "a | b", "; rm"]),
        ("echo $HOME * ~ # no comment", ["echo", "$HOME", "*", "~", "#", "no", "comment"]),
        ("git log --format=%h --", ["git", "log", "--format=%h", "--"]),
        ("ls a\\ b", ["ls", "a b"]),
    ],
)
def test_words(command: str, words: list[str]) -> None:
    assert vector(command) == words


@pytest.mark.parametrize(
    "command",
    [
        "",
        "   ",
        "ls | wc",
        "ls; rm x",
        "ls && rm x",
        "ls & ",
        "cat < a",
        "echo x > y",
        "echo `id`",
        "echo $(id)",
        "(ls)",
        "ls 'a",
        "'' x",
        "ls\nrm x;",
    ],
)
def test_what_wants_a_shell_or_is_nothing(command: str) -> None:
    with pytest.raises(ToolFailed):
        vector(command)


def run(command: str, **options: Any) -> dict[str, Any]:
    return shell(Shell(**options)).run({"command": command})  # type: ignore[no-any-return]


def test_a_program_runs_in_its_root(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk\n")
    found = run("cat notes.txt", readable=[tmp_path])
    assert (found["output"], found["status"], found["note"], found["truncated"]) == ("milk", 0, "", False)
    failed = run("cat away.txt", readable=[tmp_path])
    assert failed["status"] == 1 and "away.txt" in failed["errors"] and "status 1" in failed["note"]
    said = shell(Shell()).render_answer({"command": "x"}, failed)
    assert said is not None and said.endswith("(it ended with status 1)")


def test_it_sees_and_changes_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    root = tmp_path / "root"
    root.mkdir()
    assert "canary" not in str(run(f"cat {secret}", readable=[root]))
    run("touch made", readable=[root])
    assert not (root / "made").exists()
    run("touch made", writable=[root])
    assert (root / "made").exists()


def test_only_the_programs_that_may() -> None:
    with pytest.raises(ToolDenied, match="'ls' is not a program that may be run"):
        run("ls", programs=("df", "uptime"))
    with pytest.raises(ToolDenied) as caught:
        run("ls", programs=())
    assert caught.value.hint == "Those that may: none."
    assert run("echo hi", programs=("echo",))["output"] == "hi"
    with pytest.raises(ToolDenied):
        run("/bin/echo hi", programs=("echo",))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ToolFailed):
        run("no-such-program-here")


def test_its_time_is_over_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ToolTimeout, match=r"within 0\.5 s and was ended"):
        run("sleep 60", seconds=0.5)


def test_output_is_cut_and_said_so() -> None:
    found = run("head -c 2000000 /dev/zero", seconds=20)
    assert found["truncated"] and f"the first {module._OUTPUT:,} bytes of its output" in found["note"]


def test_the_permission() -> None:
    assert module.definition().permissions == {Permission.RUN}
