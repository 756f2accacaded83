"""Paths and links that try to lead the file tools out of their root, as they are and while they change.

    python tests/torture/tools_files.py --races 10000 --seed 1

One case walks a list of escapes with every tool. The other swaps folders, files and links in the root from a second
process while the tools read, write and delete below it: nothing outside may change, and no secret come back.
"""

# ruff: noqa: E501  tables of cases read better wide

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from linnet.agent.tools.files import files
from linnet.agent.tools.writing import writing
from linnet.errors import ToolError

SECRET = "the canary is yellow"


def escapes() -> list[str]:
    """Paths; `{home}` is the root's own absolute path."""
    names = ["secret.txt", "new.txt"]
    ups = ["..", "../.", "./..", "docs/../..", "docs/./../..", "../home/..", "docs/../../home/.."]
    found = [f"{up}/outside/{name}" for up in ups for name in names]
    found += [f"{link}/{name}" for link in ("out", "up", "docs/out", "chain", "proc", "abs") for name in names]
    found += [
        "file-out",
        "docs/file-out",
        "dangling",
        "dangling-out",
        "self",
        "/etc/passwd",
        "{home}/../outside/secret.txt",
    ]
    found += ["/proc/self/root/etc/passwd", "proc/self/cwd/x", "..\\outside\\secret.txt", "%2e%2e/outside/secret.txt"]
    return [*found, "//etc/passwd", "~/x", "docs/" * 40 + "x", "../" * 60 + "etc/passwd", "up/up/outside/secret.txt"]


def links(home: Path) -> None:
    """The links that `escapes` goes through."""
    outside = home.parent / "outside"
    for name, where in {
        "out": outside, "up": "..", "docs/out": "../../outside", "chain": "out", "proc": "/proc/self/root", "abs": "/",
        "file-out": outside / "secret.txt", "docs/file-out": "../../outside/secret.txt", "dangling": "nowhere",
        "dangling-out": outside / "made.txt", "self": "self",
    }.items():  # fmt: skip
        (home / name).symlink_to(where)


def outside(home: Path) -> dict[str, str]:
    """All that is outside."""
    folder = home.parent / "outside"
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def made(folder: Path) -> Path:
    """A root with something in it and something beside it."""
    (folder / "outside").mkdir()
    (folder / "outside" / "secret.txt").write_text(SECRET)
    home = folder / "home"
    (home / "docs").mkdir(parents=True)
    (home / "docs" / "secret.txt").write_text("inside")
    (home / "notes.txt").write_text("inside")
    return home


def _calls(home: Path) -> dict[str, Any]:
    tools = {tool.name: tool for tool in (*files(home), *writing(home))}
    return {
        "read": lambda path: tools["read_file"].run({"path": path}),
        "list": lambda path: tools["list_files"].run({"folder": path.rpartition("/")[0] or "."}),
        "write": lambda path: tools["write_file"].run({"path": path, "text": "pwned"}),
        "append": lambda path: tools["write_file"].run({"path": path, "text": "pwned", "append": True}),
        "delete": lambda path: tools["delete_file"].run({"path": path}),
        "search": lambda path: tools["search_files"].run({"text": "canary"}),
    }


def _told(call: Any, path: str) -> str:
    try:
        return str(call(path))
    except ToolError as error:
        return error.message.replace(path, "")


def escape_case(seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds)"""
    tries, passed, worst = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as name:
        home = made(Path(name))
        links(home)
        before = outside(home)
        order = [(kind, path) for kind in _calls(home) for path in escapes()]
        random.Random(seed).shuffle(order)
        calls = _calls(home)
        for kind, path in order:
            started = time.monotonic()
            told = _told(calls[kind], path.format(home=home))
            worst = max(worst, time.monotonic() - started)
            held = SECRET not in told and "root:" not in told and outside(home) == before
            tries, passed = tries + 1, passed + held
            if not held:
                print(f"{kind} {path!r}: {told[:100]}")
    return tries, passed, worst


def race_case(races: int = 10_000, seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds): each try is a call while another process swaps what its path goes through."""
    rng, passed, worst = random.Random(seed), 0, 0.0
    folder = Path(tempfile.mkdtemp(prefix="linnet-race-"))
    home = made(folder)
    swapper = os.fork()
    if swapper == 0:
        _swap(home)
    try:
        before, calls = outside(home), _calls(home)
        for _ in range(races):
            kind = rng.choice(("read", "write", "append", "delete", "read", "write", "list"))
            path = rng.choice(("docs/secret.txt", "swap/secret.txt", "swap.txt", "docs/swap.txt", "swap/new.txt"))
            started = time.monotonic()
            told = _told(calls[kind], path)
            worst = max(worst, time.monotonic() - started)
            held = SECRET not in told and outside(home) == before
            passed += held
            if not held:
                print(f"{kind} {path!r}: {told[:100]} {outside(home)}")
    finally:
        os.kill(swapper, signal.SIGKILL)
        os.waitpid(swapper, 0)
        shutil.rmtree(folder, ignore_errors=True)
    return races, passed, worst


def _swap(home: Path) -> None:
    """In a process of its own, without end: what the paths go through is a folder, a link out, a file, in turn."""
    out, secret = home.parent / "outside", home.parent / "outside" / "secret.txt"
    turn = 0
    while True:
        turn += 1
        with suppress(OSError):
            beside = home / f".beside-{turn % 7}"
            beside.symlink_to(out if turn % 2 else "docs")
            beside.rename(home / "swap")
        with suppress(OSError):
            beside = home / f".file-{turn % 7}"
            if turn % 2:
                beside.symlink_to(secret)
            else:
                beside.write_text("inside")
            beside.rename(home / ("swap.txt" if turn % 4 < 2 else "docs/swap.txt"))
        with suppress(OSError):
            (home / "docs").rename(home / "away")
            (home / "docs").symlink_to(out)
        with suppress(OSError):
            (home / "docs").unlink()
        with suppress(OSError):
            (home / "away").rename(home / "docs")


CASES = {"file escapes": escape_case, "symlink races": race_case}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--races", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    whole = True
    for name, (tries, passed, worst) in {
        "file escapes": escape_case(given.seed),
        "symlink races": race_case(given.races, given.seed),
    }.items():
        print(f"{name}: {passed} of {tries} held, worst {worst:.2f} s")
        whole = whole and passed == tries
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
