"""What one process holds and how old it is, as its kernel tells it; None where it has gone or nothing tells."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from linnet.hardware.reading import field, numbers, text

ROOT = Path("/")


@dataclass(frozen=True)
class Held:
    """Memory in bytes. `private` are pages of its own, `shared` those of mapped files, which are there once for all
    that map the same file; `peak` is the most that was ever resident."""

    resident: int = 0
    private: int = 0
    shared: int = 0
    peak: int = 0

    def __add__(self, other: Held) -> Held:
        """Of two processes. Their peaks need not have been at the same time: the sum is an upper bound."""
        return Held(
            self.resident + other.resident,
            self.private + other.private,
            self.shared + other.shared,
            self.peak + other.peak,
        )


def held(pid: int, root: Path = ROOT) -> Held | None:
    """From /proc/PID/status (proc_pid_status(5)), which takes some 30 microseconds: smaps would take milliseconds."""
    lines = text(root / f"proc/{pid}/status")

    def size(name: str) -> int:
        return 1024 * next(iter(numbers(field(lines, name))), 0)

    if not (resident := size("VmRSS")):
        return None
    return Held(resident, size("RssAnon"), size("RssFile") + size("RssShmem"), size("VmHWM"))


def age(pid: int, root: Path = ROOT) -> float | None:
    """Seconds since a process began, to about 10 ms: field 22 of /proc/PID/stat, in ticks since the machine began."""
    counts = (text(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    if len(counts) < 20 or not counts[19].isdecimal() or not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(counts[19]) / os.sysconf("SC_CLK_TCK"))
