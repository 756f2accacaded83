"""What a user should know about this machine, and what to do about it.

Hides the table of quirks: by which fact or file each is noticed, and the advice that goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from linnet.hardware import tiles
from linnet.hardware.machine import Machine, Quirk
from linnet.hardware.reading import exists, field, numbers, text


def quirks(machine: Machine, root: Path) -> Iterator[Quirk]:
    """What holds of this machine, most of all how well children can be locked in. Never raises."""
    for holds, name, advice in _table(machine, root):
        if holds:
            yield Quirk(name, advice)


def _table(machine: Machine, root: Path) -> list[tuple[bool, str, str]]:
    linux, features = machine.tier == "linux", machine.features
    usable, quota, limit = machine.affinity or machine.cores, machine.quota, machine.memory_limit
    user = numbers(field(text(root / "proc/self/status"), "Uid"))
    return [
        (not linux, "weak-isolation", "Children can be killed but not locked in: use models you trust."),
        (
            linux and not machine.landlock,
            "no-landlock",
            "Files are guarded by seccomp alone: enable Landlock (5.13).",
        ),
        (linux and machine.seccomp is False, "no-seccomp", "Network and processes stay open to a hijacked child."),
        (user[:1] == [0], "root", "Run as a user of its own: what the lock-down misses, root can do."),
        ("microsoft" in (machine.kernel or "").lower(), "wsl", "Keep models on the Linux disk: /mnt/c is slow."),
        (exists(root, ".dockerenv", "run/.containerenv"), "container", "Give it its cores and memory by quota."),
        (quota is not None and usable is not None and quota < usable, "cpu-quota", f"Use at most {quota} cores."),
        (limit is not None and limit < (machine.memory or limit), "memory-limit", f"Models must fit {limit} bytes."),
        (exists(root, "sys/devices/cpu_atom"), "hybrid-cores", "Pin to the fast cores (taskset): slow ones lag."),
        (
            numbers(text(root / "proc/sys/vm/overcommit_memory"))[:1] == [2],
            "strict-overcommit",
            "Large contexts may be refused: set vm.overcommit_memory to 0.",
        ),
        (
            machine.architecture in ("x86_64", "amd64") and features is not None and "avx2" not in features,
            "no-avx2",
            "Decoding will be several times slower: use the smallest model.",
        ),
        (
            features is not None and "amx_tile" in features and not tiles.usable(),
            "no-amx",
            "The engine does without AMX, four times as slow: compile it with native/tiles.h (`make install`).",
        ),
    ]
