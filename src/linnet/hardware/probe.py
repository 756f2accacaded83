"""What this machine is and how busy it is: facts and measurements, none of which can fail.

Hides where a system keeps its numbers: /proc, /sys, cgroups of both versions however nested, device files.
What cannot be found out is None. The file tree can be replaced by another one with the same layout.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from linnet.storage import cache_folder, read_json, write_json

ROOT = Path("/")

# --- values --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quirk:
    """Something about this machine that a user should know, and what to do about it."""

    name: str
    advice: str


@dataclass(frozen=True)
class Machine:
    """Facts about a machine; None is unknown, or for `quota` and `memory_limit` that none is set.

    `cores` are the logical ones online, `affinity` those that this process may run on, `physical_cores`
    the physical ones among these, and `quota` the cores that the cgroups really give. Memory is in bytes;
    `memory_available` is what can still be taken here: the least room of the system and of every cgroup.
    `landlock` is the version the kernel offers, 0 for none. `tier` (linux, macos, windows) says how
    strongly children can be isolated.
    """

    tier: str
    architecture: str
    kernel: str | None = None
    cpu: str | None = None
    cores: int | None = None
    physical_cores: int | None = None
    affinity: int | None = None
    quota: float | None = None
    memory: int | None = None
    memory_limit: int | None = None
    memory_available: int | None = None
    features: tuple[str, ...] | None = None
    load: tuple[float, float, float] | None = None
    accelerators: tuple[str, ...] = ()
    landlock: int = 0
    seccomp: bool | None = None
    quirks: tuple[Quirk, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """What was measured on a machine and is kept between runs: memory in GB/s, the engine in tokens/s."""

    bandwidth: float | None = None
    decode: float | None = None
    prefill: float | None = None


# --- the machine as it is ------------------------------------------------------------------------


def probe(root: Path = ROOT) -> Machine:
    """This machine, read anew in a few milliseconds. Never raises.

    `root` stands for `/` in every path that is read; the architecture, the Landlock version and the tier
    are those of the running system all the same.
    """
    allowed, groups, cpuinfo = _allowed(root), list(_cgroups(root)), _text(root / "proc/cpuinfo") or ""
    machine = Machine(
        tier={"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform),
        architecture=platform.machine().lower(),
        kernel=(_text(root / "proc/sys/kernel/osrelease") or "").strip() or _ask(root, platform.release),
        cpu=_cpu(cpuinfo),
        cores=len(_cpu_list(_text(root / "sys/devices/system/cpu/online"))) or _ask(root, os.cpu_count),
        physical_cores=_physical(root, allowed),
        affinity=len(allowed) or None,
        quota=_least(_quota(group) for group in groups if group.holds("cpu")),
        memory=_meminfo(root, "MemTotal") or _ask(root, _physical_memory),
        memory_limit=_least(_memory_limit(group) for group in groups if group.holds("memory")),
        memory_available=_memory_available(root, groups),
        features=_features(cpuinfo),
        load=_load(root) or _ask(root, os.getloadavg),
        accelerators=_accelerators(root),
        landlock=landlock_abi(),
        seccomp=_seccomp(root),
    )
    return replace(machine, quirks=tuple(_quirks(machine, root)))


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers; 0 for none (landlock_create_ruleset(2))."""
    if sys.platform != "linux":
        return 0
    create_ruleset, ask_version = ctypes.c_long(444), ctypes.c_long(1)
    return max(0, int(ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_long(0), ask_version)))


# --- measurements --------------------------------------------------------------------------------


def contention(seconds: float = 0.05, root: Path = ROOT) -> float | None:
    """Cores' worth of work that others did on our cores while this thread slept; None if unknown.

    Read from /proc/stat twice, because that takes no process, starts no thread and puts no load of its
    own on a machine that may be busy. The kernel counts in ticks of 10 ms, so 0.05 s tells a busy core
    from an idle one but not much more. Time stolen by a hypervisor's other guests counts as busy.
    """
    allowed = _allowed(root)
    before = _ticks(root)
    time.sleep(seconds)
    return busy_cores(before, _ticks(root), allowed) if before else None


Ticks = dict[int, tuple[int, int]]
"""For each core the ticks that it was idle, and all of them."""


def busy_cores(before: Ticks, after: Ticks, allowed: frozenset[int] = frozenset()) -> float:
    """Sum over the allowed cores (all, if none is named) of the share of time that each was busy."""
    busy = 0.0
    for core in before.keys() & after.keys() & (allowed or before.keys()):
        idle, total = (now - then for now, then in zip(after[core], before[core], strict=True))
        busy += min(1.0, max(0.0, 1 - idle / total)) if total > 0 else 0.0
    return busy


def bandwidth(seconds: float = 0.12) -> float | None:
    """GB/s at which one thread reads memory, the best of several passes over up to 64 MiB.

    None if fewer than 48 MiB can be made ready in time: a smaller block would tell of a cache. Memory that
    a virtual machine touches for the first time comes slowly, so a second try may succeed.
    """
    import numpy as np

    chunk = 1 << 17  # numbers: 1 MiB
    start = time.perf_counter()
    block = np.empty(64 * chunk, dtype=np.int64)
    ready = 0
    while ready < block.size and time.perf_counter() - start < 0.8 * seconds:
        block[ready : ready + chunk] = ready
        ready += chunk
    if ready < 48 * chunk:
        return None
    best = math.inf
    while time.perf_counter() - start < seconds:
        pass_start = time.perf_counter()
        block[:ready].max()
        best = min(best, time.perf_counter() - pass_start)
    return 8 * ready / best / 1e9 if best < math.inf else None


def remember(machine: Machine, measurement: Measurement) -> bool:
    """Keep a measurement for machines like this one; False if the cache cannot be written."""
    path = _measurements()
    kept = read_json(path)
    known = kept if isinstance(kept, dict) else {}
    return write_json(path, {**known, _key(machine): asdict(measurement)})


def recall(machine: Machine) -> Measurement | None:
    """What was measured on a machine like this one; None if nothing was, or the file is broken."""
    kept = read_json(_measurements())
    values = kept.get(_key(machine)) if isinstance(kept, dict) else None
    if not isinstance(values, dict):
        return None
    return Measurement(**{name: _positive(values.get(name)) for name in Measurement.__dataclass_fields__})


def _measurements() -> Path:
    return cache_folder() / "hardware.json"


def _key(machine: Machine) -> str:
    """Facts that outlive a reboot and decide how fast the machine is."""
    facts = (machine.architecture, machine.cpu, machine.cores, machine.affinity, machine.quota)
    return " | ".join(map(str, facts))


def _positive(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 < value < 1e12 else None


# --- reading -------------------------------------------------------------------------------------

T = TypeVar("T")


def _ask(root: Path, question: Callable[[], T]) -> T | None:
    """What the running system answers, where no file does; a replaced tree is not asked about."""
    if root != ROOT:
        return None
    try:
        return question() or None
    except (OSError, ValueError, AttributeError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace")
    except (OSError, ValueError):  # ValueError: a NUL in a path
        return None


def _numbers(text: str | None) -> list[int]:
    """The whole numbers in a text, in order."""
    return [int(digits) for digits in re.findall(r"[0-9]{1,19}", text or "")]


def _field(text: str | None, name: str) -> str | None:
    """The value of a line `name: value`."""
    found = re.search(rf"^{re.escape(name)}\s*:[ \t]*(.*)$", text or "", re.MULTILINE)
    return found[1].strip() if found else None


def _least(values: Iterable[T | None]) -> T | None:
    known: list[Any] = [value for value in values if value is not None]
    return min(known, default=None)


# --- processors ----------------------------------------------------------------------------------

_FEATURES = (
    *(
        "sse4_2",
        "f16c",
        "fma",
        "avx",
        "avx2",
        "avx_vnni",
        "avx512f",
        "avx512bw",
        "avx512_vnni",
        "avx512_bf16",
    ),
    *(
        "avx512_fp16",
        "amx_tile",
        "amx_int8",
        "amx_bf16",
        "neon",
        "dotprod",
        "fp16",
        "i8mm",
        "bf16",
        "sve",
        "sve2",
    ),
)
_ARM_WORDS = {"asimd": "neon", "asimddp": "dotprod", "asimdhp": "fp16"}  # the kernel's -> the engines'


def _cpu_list(text: str | None) -> frozenset[int]:
    """`0-2,5` -> {0, 1, 2, 5}, as in /sys and /proc; a range of over 65,536 is not believed."""
    cores: set[int] = set()
    for part in (text or "").split(","):
        ends = _numbers(part)
        if ends and 0 <= ends[-1] - ends[0] < 1 << 16:
            cores.update(range(ends[0], ends[-1] + 1))
    return frozenset(cores)


def _allowed(root: Path) -> frozenset[int]:
    """The cores that this process may run on; empty if unknown."""
    return _cpu_list(_field(_text(root / "proc/self/status"), "Cpus_allowed_list"))


def _physical(root: Path, allowed: frozenset[int]) -> int | None:
    """Siblings on one physical core share one text; None if the topology of any core is not told."""
    folder = root / "sys/devices/system/cpu"
    siblings = {_text(folder / f"cpu{core}/topology/thread_siblings_list") for core in allowed}
    return len(siblings) if siblings and None not in siblings else None


def _cpu(cpuinfo: str) -> str | None:
    """The model's name on x86, implementer and part number on ARM."""
    part, maker = _field(cpuinfo, "CPU part"), _field(cpuinfo, "CPU implementer")
    arm = f"ARM {maker} {part}" if part and maker else None
    return _field(cpuinfo, "model name") or _field(cpuinfo, "Model") or arm


def _features(cpuinfo: str) -> tuple[str, ...] | None:
    flags = _field(cpuinfo, "flags") or _field(cpuinfo, "Features")
    if flags is None:
        return None
    present = {_ARM_WORDS.get(flag, flag) for flag in flags.split()}
    return tuple(name for name in _FEATURES if name in present)


def _load(root: Path) -> tuple[float, float, float] | None:
    found = re.match(r"(\d{1,9}\.\d+) (\d{1,9}\.\d+) (\d{1,9}\.\d+)", _text(root / "proc/loadavg") or "", re.ASCII)
    return (float(found[1]), float(found[2]), float(found[3])) if found else None


def _ticks(root: Path) -> Ticks:
    """Lines `cpuN user nice system idle iowait irq softirq steal ...` of /proc/stat (proc_stat(5))."""
    ticks: Ticks = {}
    for core, rest in re.findall(r"^cpu([0-9]{1,5}) (.*)$", _text(root / "proc/stat") or "", re.MULTILINE):
        counts = _numbers(rest)[:8]  # guest time, which follows, is part of user time
        if len(counts) >= 5:
            ticks[int(core)] = (counts[3] + counts[4], sum(counts))
    return ticks


# --- memory --------------------------------------------------------------------------------------


def _meminfo(root: Path, name: str) -> int | None:
    kib = _numbers(_field(_text(root / "proc/meminfo"), name))
    return kib[0] * 1024 if kib else None


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _memory_available(root: Path, groups: Iterable[_Group]) -> int | None:
    rooms = (_memory_room(group) for group in groups if group.holds("memory"))
    return _least([_meminfo(root, "MemAvailable"), *rooms])


# --- cgroups -------------------------------------------------------------------------------------


class _Group(NamedTuple):
    """One level of this process's cgroups. `controllers` is None for version 2, where all share one tree."""

    folder: Path
    controllers: frozenset[str] | None

    def holds(self, controller: str) -> bool:
        return self.controllers is None or controller in self.controllers

    def numbers(self, name: str) -> list[int]:
        return _numbers(_text(self.folder / name))


def _cgroups(root: Path) -> Iterator[_Group]:
    """Every level, from this process's own to the mount point, of every hierarchy: each may set a limit."""
    paths = _memberships(_text(root / "proc/self/cgroup") or "")
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        mount, _, kind = line.partition(" - ")
        fields, (fstype, _, options) = mount.split(), (*kind.split(), "", "", "")[:3]
        if fstype not in ("cgroup", "cgroup2") or len(fields) < 5:
            continue
        controllers = frozenset(options.split(",")) if fstype == "cgroup" else None
        for own, path in paths:
            if (controllers is None and own is None) or (controllers and own and own <= controllers):
                for level in _levels(path, fields[3]):
                    yield _Group(root / fields[4].lstrip("/") / level, own)


def _memberships(text: str) -> list[tuple[frozenset[str] | None, str]]:
    """Lines `4:cpu,cpuacct:/path` of version 1 and `0::/path` of version 2 (cgroups(7))."""
    lines = [line.split(":", 2) for line in text.splitlines()]
    return [(frozenset(names.split(",")) if names else None, path) for _, names, path in _triples(lines)]


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


def _quota(group: _Group) -> float | None:
    """Cores: microseconds granted in each period, over the period. `max` and -1 stand for no quota."""
    if group.controllers is None:
        both = group.numbers("cpu.max")
    else:
        granted = _text(group.folder / "cpu.cfs_quota_us") or "-"
        both = [] if "-" in granted else _numbers(granted)[:1] + group.numbers("cpu.cfs_period_us")[:1]
    return both[0] / both[1] if len(both) == 2 and both[0] and both[1] else None


_UNLIMITED = 1 << 60
"""Version 1 writes "no limit" as the largest multiple of a page; nothing real is near."""


def _memory_limit(group: _Group) -> int | None:
    """Bytes; the hard limit, or the lower one above which version 2 slows a process down."""
    files = ("memory.limit_in_bytes",) if group.controllers else ("memory.max", "memory.high")
    return _least(limit for name in files for limit in group.numbers(name)[:1] if limit < _UNLIMITED)


def _memory_room(group: _Group) -> int | None:
    """Bytes below the limit, counting file pages that were not used lately as free: the kernel drops them."""
    limit = _memory_limit(group)
    used = group.numbers("memory.usage_in_bytes" if group.controllers else "memory.current")[:1]
    if limit is None or not used:
        return limit
    name = "total_inactive_file" if group.controllers else "inactive_file"
    droppable = re.search(rf"^{name} ([0-9]{{1,19}})$", _text(group.folder / "memory.stat") or "", re.MULTILINE)
    return max(0, limit - max(0, used[0] - int(droppable[1] if droppable else 0)))


# --- devices, isolation, quirks ------------------------------------------------------------------


def _accelerators(root: Path) -> tuple[str, ...]:
    """Device files that a driver makes, by path without `/dev/`; whether they work is not asked."""
    patterns = ("nvidia[0-9]*", "dri/renderD*", "kfd", "accel/accel*", "mali*")
    try:
        return tuple(
            path.relative_to(root / "dev").as_posix()
            for pattern in patterns
            for path in sorted((root / "dev").glob(pattern))
        )
    except (OSError, ValueError):
        return ()


def _seccomp(root: Path) -> bool | None:
    """Whether filters can be set and may answer with an error."""
    actions = _text(root / "proc/sys/kernel/seccomp/actions_avail")
    if actions is None:
        return None if _text(root / "proc/self/status") is None else False
    return "errno" in actions.split()


def _quirks(machine: Machine, root: Path) -> Iterator[Quirk]:
    for holds, name, advice in _quirk_table(machine, root):
        if holds:
            yield Quirk(name, advice)


def _quirk_table(machine: Machine, root: Path) -> list[tuple[bool, str, str]]:
    linux, features = machine.tier == "linux", machine.features
    usable, quota, limit = machine.affinity or machine.cores, machine.quota, machine.memory_limit
    user = _numbers(_field(_text(root / "proc/self/status"), "Uid"))
    return [
        (not linux, "weak-isolation", "Children can be killed but not locked in: use models you trust."),
        (
            linux and not machine.landlock,
            "no-landlock",
            "Files are guarded by seccomp alone: enable Landlock (5.13).",
        ),
        (
            linux and machine.seccomp is False,
            "no-seccomp",
            "Network and processes stay open to a hijacked child.",
        ),
        (user[:1] == [0], "root", "Run as a user of its own: what the lock-down misses, root can do."),
        (
            "microsoft" in (machine.kernel or "").lower(),
            "wsl",
            "Keep models on the Linux disk: /mnt/c is slow.",
        ),
        (
            _exists(root, ".dockerenv", "run/.containerenv"),
            "container",
            "Give it its cores and memory by quota.",
        ),
        (
            quota is not None and usable is not None and quota < usable,
            "cpu-quota",
            f"Use at most {quota} cores.",
        ),
        (
            limit is not None and limit < (machine.memory or limit),
            "memory-limit",
            f"Models must fit {limit} bytes.",
        ),
        (
            _exists(root, "sys/devices/cpu_atom"),
            "hybrid-cores",
            "Pin to the fast cores (taskset): slow ones lag.",
        ),
        (
            _numbers(_text(root / "proc/sys/vm/overcommit_memory"))[:1] == [2],
            "strict-overcommit",
            "Large contexts may be refused: set vm.overcommit_memory to 0.",
        ),
        (
            machine.architecture in ("x86_64", "amd64") and features is not None and "avx2" not in features,
            "no-avx2",
            "Decoding will be several times slower: use the smallest model.",
        ),
    ]


def _exists(root: Path, *paths: str) -> bool:
    try:
        return any((root / path).exists() for path in paths)
    except OSError:
        return False
