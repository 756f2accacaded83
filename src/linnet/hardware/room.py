"""How much memory there is for processes of our own, those that run and those that could be started.

Hides what the kernel counts as available. Anonymous memory of a process is gone from it; file pages that a process
maps, such as weights, still count as available for the whole system, but as used within a cgroup.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from linnet.hardware import cgroups
from linnet.hardware.reading import field, least, numbers, text

ROOT = Path("/")


def room(pids: Iterable[int] = (), root: Path = ROOT) -> int | None:
    """Bytes that these processes and others like them could hold together; None if unknown.

    It is what is available now and what they hold already. A page that two of them map counts twice.
    """
    held = [text(root / f"proc/{pid}/status") for pid in pids]
    anonymous, mapped = (sum(_kib(status, name) for status in held) for name in ("RssAnon", "RssFile"))
    system = numbers(field(text(root / "proc/meminfo"), "MemAvailable"))
    grouped = cgroups.memory_room(root, mapped)
    least_of = least([system[0] * 1024 if system else None, grouped])
    return None if least_of is None else least_of + anonymous


def _kib(status: str | None, name: str) -> int:
    """Bytes of a line `name: 123 kB`; 0 for a process that has gone."""
    return sum(numbers(field(status, name))[:1]) * 1024
