"""A case in a process of its own, bounded in time and in processes: none can hold up the others or take the machine.

A bomb that is not stopped by what it is to test would fork without end, and root has no `RLIMIT_NPROC` (it once cost
this machine 13 minutes). So the case and all that it starts are in a control group of their own that counts processes
before each fork, where one can be made, and under `RLIMIT_NPROC` besides; `confined` says which holds here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

TASKS = 3_000
"""Processes and threads that one case may have at a time: the API's crowds take 600, the bombs in the tests 1,024."""

_GROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


def run(command: list[str], seconds: float, output: TextIO | None = None) -> int | None:
    """Its exit status, or None if it had to be ended. What it prints goes to `output`, else it is printed."""
    with _group() as group:
        few = _own_tasks() + TASKS

        def confine() -> None:
            resource.setrlimit(resource.RLIMIT_NPROC, (few, few))
            if group:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        process = subprocess.Popen(command, start_new_session=True, preexec_fn=confine, stdout=output)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process, group)


def confined() -> str:
    """What bounds the number of processes of a case here, in words."""
    with _group() as group:
        if group:
            return f"a control group of {TASKS:,} tasks"
    return f"RLIMIT_NPROC of {TASKS:,} tasks" if os.geteuid() else "nothing: root, and no control group can be made"


@contextlib.contextmanager
def _group() -> Iterator[Path | None]:
    """A new control group, removed with the block; None where none can be had."""
    group = None
    for parent in _GROUPS:
        with contextlib.suppress(OSError):
            group = parent / f"linnet-torture-{os.getpid()}"
            group.mkdir()
            (group / "pids.max").write_text(str(TASKS))
            break
        with contextlib.suppress(OSError):
            group.rmdir() if group else None
        group = None
    try:
        yield group
    finally:
        end = time.monotonic() + 5.0
        while group and group.exists() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                group.rmdir()
            time.sleep(0.02)


def _end(process: subprocess.Popen[bytes], group: Path | None) -> None:
    """It, and what it has left."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pid in (group / "cgroup.procs").read_text().split() if group else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _own_tasks() -> int:
    """Processes of this user: RLIMIT_NPROC counts those that are there already."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += len(list((folder / "task").iterdir())) if folder.stat().st_uid == os.getuid() else 0
    return count
