"""Going without matrix tiles, asked of the kernel itself in processes of their own: what it gives, it never takes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from linnet.requests import Generate

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="tiles are a matter of Linux on x86-64"
)

ASK = """
import ctypes
from linnet.worker import tiles

libc = ctypes.CDLL(None, use_errno=True)

def ask():
    return libc.syscall(158, ctypes.c_long(0x1023), ctypes.c_long(18))  # as llama.cpp does

def stack():
    found = tiles._Stack()
    assert libc.sigaltstack(None, ctypes.byref(found)) == 0
    return found.pointer, found.flags, found.size
"""


def run(program: str, *options: str) -> str:
    done = subprocess.run([sys.executable, *options, "-c", ASK + program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout.strip()


@pytest.mark.skipif("amx_tile" not in Path("/proc/cpuinfo").read_text(), reason="this processor has no tiles")
def test_the_kernel_refuses_tiles_meanwhile_and_gives_them_later() -> None:
    assert run("with tiles.refused(): print(ask() != 0)\nprint(ask() == 0)") == "True\nTrue"


@pytest.mark.parametrize("options", [(), ("-X", "faulthandler")])
def test_the_stack_for_signals_is_the_one_it_was(options: tuple[str, ...]) -> None:
    program = "before = stack()\nwith tiles.refused(): inside = stack()\nprint(before == stack() != inside)"
    assert run(program, *options) == "True"


def test_the_engine_answers_where_tiles_are_there_or_not(supervisor: Any, chat: Any, outcome: Any) -> None:
    answer = outcome(supervisor.stream(Generate(chat("Name a colour. " * 40), max_tokens=4)))
    assert answer.done and answer.done.usage.generated_tokens > 0
