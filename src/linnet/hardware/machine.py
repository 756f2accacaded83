"""The values in which the facts and measurements of a machine are told.

Hides nothing: it stands below the modules that find the facts out, so that each can name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quirk:
    """Something about this machine that a user should know, and what to do about it."""

    name: str
    advice: str


@dataclass(frozen=True)
class Accelerator:
    """What could compute beside the processor: `memory` in bytes and `driver` as a major version, where known."""

    kind: Literal["cuda", "rocm", "vulkan", "metal"]
    name: str
    memory: int | None = None
    driver: str | None = None


@dataclass(frozen=True)
class Machine:
    """Facts about a machine; None is unknown, or for `quota` and `memory_limit` that none is set.

    `cores` are the logical ones online, `affinity` those that this process may run on, `physical_cores`
    the physical ones among these, and `quota` the cores that the cgroups really give. Memory is in bytes;
    `memory_available` is what can still be taken here: the least room of the system and of every cgroup.
    `landlock` is the version the kernel offers, 0 for none. `tier` (linux, macos, windows) says how
    strongly children can be isolated. `features` are those that the engine can use, `accelerators` device files, and
    `gpus` what a driver tells of.
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
    gpus: tuple[Accelerator, ...] = ()
    landlock: int = 0
    seccomp: bool | None = None
    quirks: tuple[Quirk, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """What was measured on a machine and is kept between runs: memory in GB/s, the engine in tokens/s."""

    bandwidth: float | None = None
    decode: float | None = None
    prefill: float | None = None
