"""What this machine is and how busy it is: facts and measurements, none of which can fail.

Hides where a system keeps its numbers: /proc, /sys, cgroups, device files; and where measurements are kept.
What cannot be found out is None. The file tree can be replaced by another one with the same layout.
"""

from __future__ import annotations

import math
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from linnet.hardware import accelerators, cgroups, tiles
from linnet.hardware.machine import Machine, Measurement, Quirk
from linnet.hardware.quirks import quirks
from linnet.hardware.reading import field, least, numbers, text
from linnet.storage import cache_folder, read_json, write_json

__all__ = [
    "ROOT",
    "Machine",
    "Measurement",
    "Quirk",
    "Ticks",
    "allowed",
    "bandwidth",
    "busy_cores",
    "contention",
    "key",
    "landlock_abi",
    "probe",
    "processor_seconds",
    "processors",
    "recall",
    "remember",
    "ticks",
]

ROOT = Path("/")

# --- the machine as it is ------------------------------------------------------------------------


def probe(root: Path = ROOT) -> Machine:
    """This machine, read anew in a few milliseconds. Never raises.

    `root` stands for `/` in every path that is read; the architecture, the Landlock version and the tier
    are those of the running system all the same.
    """
    cpuinfo = text(root / "proc/cpuinfo") or ""
    tier = {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    architecture = platform.machine().lower()
    share = cgroups.share(root)
    machine = replace(
        processors(root, share),
        tier=tier,
        architecture=architecture,
        kernel=(text(root / "proc/sys/kernel/osrelease") or "").strip() or _ask(root, platform.release),
        cpu=_cpu(cpuinfo),
        memory=_meminfo(root, "MemTotal") or _ask(root, _physical_memory),
        memory_limit=share.memory_limit,
        memory_available=least([_meminfo(root, "MemAvailable"), share.memory_room]),
        features=_features(cpuinfo),
        load=_load(root) or _ask(root, os.getloadavg),
        accelerators=_accelerators(root),
        gpus=accelerators.accelerators(root, tier, architecture),
        landlock=landlock_abi(),
        seccomp=_seccomp(root),
    )
    machine = replace(machine, quirks=tuple(quirks(machine, root)))
    return replace(machine, features=_usable(machine.features))


def processors(root: Path = ROOT, share: cgroups.Share | None = None) -> Machine:
    """What of a machine may change while a process lives: which cores it may use, and how much of them.

    The other facts are left out. `share` is read, if it is not given.
    """
    mine = allowed(root)
    return Machine(
        tier=sys.platform,
        architecture=platform.machine().lower(),
        cores=len(_cpu_list(text(root / "sys/devices/system/cpu/online"))) or _ask(root, os.cpu_count),
        physical_cores=_physical(root, mine),
        affinity=len(mine) or None,
        quota=(share or cgroups.share(root)).quota,
    )


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers; 0 for none (landlock_create_ruleset(2))."""
    import ctypes

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
    mine = allowed(root)
    before = ticks(root)
    time.sleep(seconds)
    return busy_cores(before, ticks(root), mine) if before else None


def processor_seconds(pid: int, root: Path = ROOT) -> float | None:
    """Seconds of processor time that a process has used in all its threads; None if it has gone.

    Fields 14 and 15 of /proc/PID/stat (proc_pid_stat(5)), counted behind the name, which may hold anything.
    """
    counts = (text(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    if len(counts) < 13 or not (counts[11].isdecimal() and counts[12].isdecimal()):
        return None
    return (int(counts[11]) + int(counts[12])) / os.sysconf("SC_CLK_TCK")


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
    return write_json(path, {**known, key(machine): asdict(measurement)})


def recall(machine: Machine) -> Measurement | None:
    """What was measured on a machine like this one; None if nothing was, or the file is broken."""
    kept = read_json(_measurements())
    values = kept.get(key(machine)) if isinstance(kept, dict) else None
    if not isinstance(values, dict):
        return None
    return Measurement(**{name: _positive(values.get(name)) for name in Measurement.__dataclass_fields__})


def _measurements() -> Path:
    return cache_folder() / "hardware.json"


def key(machine: Machine) -> str:
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


# --- processors ----------------------------------------------------------------------------------

_FEATURES = (
    *(
        "ssse3",
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


def _cpu_list(ranges: str | None) -> frozenset[int]:
    """`0-2,5` -> {0, 1, 2, 5}, as in /sys and /proc; a range of over 65,536 is not believed."""
    cores: set[int] = set()
    for part in (ranges or "").split(","):
        ends = numbers(part)
        if ends and 0 <= ends[-1] - ends[0] < 1 << 16:
            cores.update(range(ends[0], ends[-1] + 1))
    return frozenset(cores)


def allowed(root: Path = ROOT) -> frozenset[int]:
    """The cores that this process may run on; empty if unknown."""
    return _cpu_list(field(text(root / "proc/self/status"), "Cpus_allowed_list"))


def _physical(root: Path, allowed: frozenset[int]) -> int | None:
    """Siblings on one physical core share one text; None if the topology of any core is not told."""
    folder = root / "sys/devices/system/cpu"
    siblings = {text(folder / f"cpu{core}/topology/thread_siblings_list") for core in allowed}
    return len(siblings) if siblings and None not in siblings else None


def _cpu(cpuinfo: str) -> str | None:
    """The model's name on x86, implementer and part number on ARM."""
    part, maker = field(cpuinfo, "CPU part"), field(cpuinfo, "CPU implementer")
    arm = f"ARM {maker} {part}" if part and maker else None
    return field(cpuinfo, "model name") or field(cpuinfo, "Model") or arm


def _features(cpuinfo: str) -> tuple[str, ...] | None:
    flags = field(cpuinfo, "flags") or field(cpuinfo, "Features")
    if flags is None:
        return None
    present = {_ARM_WORDS.get(flag, flag) for flag in flags.split()}
    return tuple(name for name in _FEATURES if name in present)


def _usable(features: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Those that the engine can use: one that would crash on tiles goes without them."""
    if not features or not tiles.FEATURES & set(features) or tiles.usable():
        return features
    return tuple(name for name in features if name not in tiles.FEATURES)


def _load(root: Path) -> tuple[float, float, float] | None:
    found = re.match(r"(\d{1,9}\.\d+) (\d{1,9}\.\d+) (\d{1,9}\.\d+)", text(root / "proc/loadavg") or "", re.ASCII)
    return (float(found[1]), float(found[2]), float(found[3])) if found else None


def ticks(root: Path = ROOT) -> Ticks:
    """What each core has counted until now; empty if unknown.

    Lines `cpuN user nice system idle iowait irq softirq steal ...` of /proc/stat (proc_stat(5)).
    """
    found: Ticks = {}
    for core, rest in re.findall(r"^cpu([0-9]{1,5}) (.*)$", text(root / "proc/stat") or "", re.MULTILINE):
        counts = numbers(rest)[:8]  # guest time, which follows, is part of user time
        if len(counts) >= 5:
            found[int(core)] = (counts[3] + counts[4], sum(counts))
    return found


# --- memory --------------------------------------------------------------------------------------


def _meminfo(root: Path, name: str) -> int | None:
    kib = numbers(field(text(root / "proc/meminfo"), name))
    return kib[0] * 1024 if kib else None


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# --- devices and isolation ---------------------------------------------------------------------


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
    actions = text(root / "proc/sys/kernel/seccomp/actions_avail")
    if actions is None:
        return None if text(root / "proc/self/status") is None else False
    return "errno" in actions.split()
