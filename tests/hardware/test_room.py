"""Memory for processes of our own, on made-up machines: the system and every cgroup have a say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linnet.hardware.room import room

MIB = 1 << 20


def kib(mib: int) -> str:
    return f"{mib * 1024} kB"


def machine(root: Path, available: int | None = 1000, **files: str) -> Path:
    """`available` in MiB; process 7 holds 100 anonymous and 300 of files, process 8 20 and 10."""
    planted = {
        "proc/7/status": f"Name:\tx\nRssAnon:\t{kib(100)}\nRssFile:\t{kib(300)}\n",
        "proc/8/status": f"Name:\ty\nRssAnon:\t{kib(20)}\nRssFile:\t{kib(10)}\n",
        **({"proc/meminfo": f"MemTotal: {kib(4000)}\nMemAvailable: {kib(available)}\n"} if available else {}),
        **files,
    }
    for name, text in planted.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def grouped(limit: int, used: int, active: int, inactive: int) -> dict[str, str]:
    """A cgroup of version 2, in MiB."""
    return {
        "proc/self/cgroup": "0::/a\n",
        "proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/a/memory.max": f"{limit * MIB}\n",
        "sys/fs/cgroup/a/memory.current": f"{used * MIB}\n",
        "sys/fs/cgroup/a/memory.stat": f"active_file {active * MIB}\ninactive_file {inactive * MIB}\n",
    }


def test_anonymous_memory_of_ours_comes_back(tmp_path: Path) -> None:
    root = machine(tmp_path)
    assert room((), root) == 1000 * MIB
    assert room((7,), root) == 1100 * MIB, "pages of files count as available already"
    assert room((7, 8), root) == 1120 * MIB
    assert room((7, 9), root) == 1100 * MIB, "9 has gone"


def test_in_a_cgroup_pages_of_files_come_back_too(tmp_path: Path) -> None:
    root = machine(tmp_path, **grouped(600, 500, 350, 50))
    assert room((), root) == (600 - 500 + 50) * MIB
    assert room((7,), root) == (600 - 500 + 50 + 300 + 100) * MIB
    assert room((7, 8), root) == (600 - 500 + 50 + 310 + 120) * MIB


def test_no_more_pages_come_back_than_the_cgroup_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, **grouped(600, 500, 200, 50))
    assert room((7,), root) == (600 - 500 + 50 + 200 + 100) * MIB


def test_the_lesser_of_the_two_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, available=120, **grouped(600, 500, 350, 50))
    assert room((7,), root) == 220 * MIB


def test_version_1(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        **{
            "proc/self/cgroup": "4:memory:/a\n",
            "proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{600 * MIB}\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": f"{500 * MIB}\n",
            "sys/fs/cgroup/memory/a/memory.stat": f"total_active_file {40 * MIB}\ntotal_inactive_file {10 * MIB}\n",
        },
    )
    assert room((7,), root) == (600 - 500 + 10 + 40 + 100) * MIB


def test_unknown_is_none(tmp_path: Path) -> None:
    assert room((7,), machine(tmp_path, available=None)) is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc here")
def test_this_machine() -> None:
    ours = room((os.getpid(),))
    assert ours is not None and ours > 16 * MIB
