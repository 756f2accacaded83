"""Python that a model wrote, run in a child: what it may do, what it may not, and every way that it can end."""

from __future__ import annotations

from pathlib import Path

import pytest

from linnet.errors import RequestTooLarge, SandboxUnavailable
from linnet.limits import LIMITS, Sandbox
from linnet.protocol import Record
from linnet.runtime import job, sandbox, trial


def test_pieces_share_a_namespace_and_each_has_its_own_end() -> None:
    ran = trial.run(
        ["def f(x):\n    return x + 1", "assert f(1) == 2", "assert f(1) == 3, 'no'", "f(", "print(f(4))\nexit(3)"]
    )
    assert ran.errors[:3] == ("", "", "AssertionError: no")
    assert ran.errors[3].startswith("SyntaxError") and ran.errors[4] == "SystemExit: 3"
    assert (ran.printed, ran.cut, ran.ended) == ("5\n", False, "")


def test_the_usual_modules_can_be_imported() -> None:
    assert trial.run(["import math, re, json, unittest\nfrom collections import Counter\nimport os.path"]).errors == (
        "",
    )


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "secret"
    path.write_text("nonce")
    return path


FORBIDDEN = {
    "a file": "open({path!r}).read()",
    "a new file": "open({path!r} + '2', 'w')",
    "a folder": "import os; os.listdir('/')",
    "removing": "import os; os.remove({path!r})",
    "a socket": "import _socket; _socket.socket()",
    "a program": "import os; os.execv('/bin/true', ['true'])",
    "a fork": "import os; os.fork()",
    "its parent": "import os; os.kill(os.getppid(), 9)",
    "memory": f"x = bytearray({LIMITS.python_memory + (1 << 20)})",
}


def test_what_is_forbidden(canary: Path) -> None:
    """One past what the sandbox gives, each; and the environment has nothing to tell."""
    ran = trial.run([piece.format(path=str(canary)) for piece in FORBIDDEN.values()])
    errors = dict(zip(FORBIDDEN, (error.partition(":")[0] for error in ran.errors), strict=True))
    assert errors.pop("memory") == "MemoryError"
    assert set(errors.values()) == {"PermissionError"}, errors
    assert canary.read_text() == "nonce" and [path.name for path in canary.parent.iterdir()] == ["secret"]
    told = trial.run(["import os; print(sorted(os.environ))"])
    assert "PATH" not in told.printed and "HOME" not in told.printed


def test_shared_memory_is_bounded_too() -> None:
    piece = """
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
got = libc.mmap(None, ctypes.c_size_t(ROOM), 3, 0x21, -1, 0)
assert got == ctypes.c_void_p(-1).value, "it was given"
"""
    ran = trial.run([piece.replace("ROOM", str(1 << 20)), piece.replace("ROOM", str(3 * LIMITS.python_memory))])
    assert ran.errors == ("AssertionError: it was given", "")


def test_an_endless_piece_ends_alone() -> None:
    ran = trial.run(["while True: pass", "x = 1"], seconds=100)
    assert ran.errors == (f"TimeoutError: it ran longer than {LIMITS.python_piece_seconds:g} s", "")


def test_one_that_cannot_be_stopped_is_killed_with_all() -> None:
    stubborn = "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass"
    ran = trial.run([stubborn, "x = 1"], seconds=0.5)
    assert "longer than 0.5 s" in ran.ended and ran.errors == (ran.ended,) * 2


def test_a_flood_of_output_is_cut_and_told() -> None:
    most = LIMITS.python_output
    ran = trial.run([f"print('x' * {most}, end='')"])
    assert (len(ran.printed), ran.cut) == (most, False)
    ran = trial.run([f"print('x' * {most}, end='')\nprint('y', end='')"])
    assert (ran.printed, ran.cut) == ("x" * most, True)


_BABBLE = """
import os
for fd in range(3, 4096):
    try:
        os.write(fd, (4).to_bytes(4, "little") + b"junk")
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        ("import os; os._exit(0)", "its process left with status 0"),
        ("import ctypes; ctypes.string_at(0)", "its process was ended by SIGSEGV"),
        (_BABBLE, "not a record"),
    ],
)
def test_a_process_that_dies_or_babbles_gives_no_report(piece: str, told: str) -> None:
    ran = trial.run(["x = 1", piece])
    assert ran.ended.startswith(told) and ran.errors == (ran.ended,) * 2


def test_without_a_sandbox_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox.for_python(5) == Sandbox(memory=5, required=True)

    def refuse(*_: object) -> Record:
        raise SandboxUnavailable("this system cannot enforce: files")

    monkeypatch.setattr(job, "do", refuse)
    with pytest.raises(SandboxUnavailable):
        trial.run(["x = 1"])


def test_one_past_each_limit() -> None:
    for pieces in ([], ["x = 1"] * (LIMITS.python_pieces + 1)):
        with pytest.raises(RequestTooLarge, match=f"{len(pieces)} pieces"):
            trial.run(pieces)
    with pytest.raises(RequestTooLarge, match="characters long"):
        trial.run(["#" * (LIMITS.python_chars + 1)])
    whole = ["#" * LIMITS.python_chars] + ["pass"] * (LIMITS.python_pieces - 1)
    assert set(trial.run(whole).errors) == {""}
