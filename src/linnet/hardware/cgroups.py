"""What the cgroups of this process leave to it: cores, and bytes of memory.

Hides both versions of cgroups, also side by side, however deep they are nested and wherever they are mounted;
inside a container too, which may see its path from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from linnet.hardware.reading import least, numbers, text


class Share(NamedTuple):
    """The least over all levels; None where no level sets a limit.

    `quota` is in cores. `memory_limit` and `memory_room`, what is still free below the limits, are in bytes.
    """

    quota: float | None
    memory_limit: int | None
    memory_room: int | None


def share(root: Path) -> Share:
    """What is left to this process, from the files below `root`, which stands for `/`. Never raises."""
    groups = list(_groups(root))
    of_memory = [group for group in groups if group.holds("memory")]
    return Share(
        quota=least(_quota(group) for group in groups if group.holds("cpu")),
        memory_limit=least(map(_memory_limit, of_memory)),
        memory_room=least(map(_memory_room, of_memory)),
    )


def memory_room(root: Path, mapped: int) -> int | None:
    """As `share` has it, but with up to `mapped` bytes of file pages in use as free: they are the caller's own."""
    return least(_memory_room(group, mapped) for group in _groups(root) if group.holds("memory"))


# --- levels --------------------------------------------------------------------------------------


class _Group(NamedTuple):
    """One level of this process's cgroups. `controllers` is None for version 2, where all share one tree."""

    folder: Path
    controllers: frozenset[str] | None

    def holds(self, controller: str) -> bool:
        return self.controllers is None or controller in self.controllers

    def numbers(self, name: str) -> list[int]:
        return numbers(text(self.folder / name))


def _groups(root: Path) -> Iterator[_Group]:
    """Every level, from this process's own to the mount point, of every hierarchy: each may set a limit."""
    paths = _memberships(text(root / "proc/self/cgroup") or "")
    for line in (text(root / "proc/self/mountinfo") or "").splitlines():
        mount, _, kind = line.partition(" - ")
        fields, (fstype, _, options) = mount.split(), (*kind.split(), "", "", "")[:3]
        if fstype not in ("cgroup", "cgroup2") or len(fields) < 5:
            continue
        controllers = frozenset(options.split(",")) if fstype == "cgroup" else None
        for own, path in paths:
            if (controllers is None and own is None) or (controllers and own and own <= controllers):
                for level in _levels(path, fields[3]):
                    yield _Group(root / fields[4].lstrip("/") / level, own)


def _memberships(lines: str) -> list[tuple[frozenset[str] | None, str]]:
    """Lines `4:cpu,cpuacct:/path` of version 1 and `0::/path` of version 2 (cgroups(7))."""
    fields = [line.split(":", 2) for line in lines.splitlines()]
    return [(frozenset(names.split(",")) if names else None, path) for _, names, path in _triples(fields)]


def _triples(lines: Iterable[list[str]]) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        if len(line) == 3:
            yield line[0], line[1], line[2]


def _levels(path: str, mount_root: str) -> list[str]:
    """Folders below the mount point, innermost first, the mount point itself ("") last.

    A container may see its path from outside: below the mounted part the same tree begins, and a path
    that is not below it, or leads out of it, says nothing here.
    """
    base = mount_root.rstrip("/")
    inside = path.startswith(base + "/") and ".." not in path.split("/")
    names = [name for name in path[len(base) :].split("/") if name] if inside else []
    return ["/".join(names[:depth]) for depth in range(len(names), -1, -1)]


# --- limits --------------------------------------------------------------------------------------


def _quota(group: _Group) -> float | None:
    """Cores: microseconds granted in each period, over the period. `max` and -1 stand for no quota."""
    if group.controllers is None:
        both = group.numbers("cpu.max")
    else:
        granted = text(group.folder / "cpu.cfs_quota_us") or "-"
        both = [] if "-" in granted else numbers(granted)[:1] + group.numbers("cpu.cfs_period_us")[:1]
    return both[0] / both[1] if len(both) == 2 and both[0] and both[1] else None


_UNLIMITED = 1 << 60
"""Version 1 writes "no limit" as the largest multiple of a page; nothing real is near."""


def _memory_limit(group: _Group) -> int | None:
    """Bytes; the hard limit, or the lower one above which version 2 slows a process down."""
    files = ("memory.limit_in_bytes",) if group.controllers else ("memory.max", "memory.high")
    return least(limit for name in files for limit in group.numbers(name)[:1] if limit < _UNLIMITED)


def _memory_room(group: _Group, mapped: int = 0) -> int | None:
    """Bytes below the limit, counting file pages that were not used lately as free: the kernel drops them."""
    limit = _memory_limit(group)
    used = group.numbers("memory.usage_in_bytes" if group.controllers else "memory.current")[:1]
    if limit is None or not used:
        return limit
    free = _pages(group, "inactive_file") + min(mapped, _pages(group, "active_file"))
    return max(0, limit - max(0, used[0] - free))


def _pages(group: _Group, name: str) -> int:
    """Bytes of a line of `memory.stat`, over all groups below too."""
    whole = f"total_{name}" if group.controllers else name
    found = re.search(rf"^{whole} ([0-9]{{1,19}})$", text(group.folder / "memory.stat") or "", re.MULTILINE)
    return int(found[1]) if found else 0
