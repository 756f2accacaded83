"""Which accelerators a machine has, and why the engine runs on the CPU all the same.

Hides where drivers tell of their devices, and what the files of an engine say of the devices it was built for.
Nothing native is loaded for it: files are read, and `ask_nvidia` starts the driver's own command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from linnet.hardware.machine import Accelerator, Machine, Quirk
from linnet.hardware.reading import field, numbers, text
from linnet.limits import MIB

ENGINE = "llama-cpp-python"
"""The distribution that carries the engine's libraries."""

# --- the devices ---------------------------------------------------------------------------------


def accelerators(root: Path, tier: str, architecture: str) -> tuple[Accelerator, ...]:
    """What could compute beside the processor, by the files of its driver. Never raises."""
    if tier == "macos":
        return (Accelerator("metal", "Apple GPU" if architecture == "arm64" else "Mac GPU"),)
    found = (*_nvidia(root), *_amd(root))
    return found or tuple(_vulkan(root))


def ask_nvidia(found: tuple[Accelerator, ...], command: str = "nvidia-smi") -> tuple[Accelerator, ...]:
    """The same devices with the memory that NVIDIA's command tells of; as they are if it does not answer."""
    import subprocess

    if not any(one.kind == "cuda" for one in found):
        return found
    query = [command, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, timeout=5, check=True, stdin=subprocess.DEVNULL).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return found
    free = iter(numbers(told[:4_096].decode(errors="replace")))
    return tuple(
        replace(one, memory=count * MIB) if one.kind == "cuda" and (count := next(free, None)) else one
        for one in found
    )


def _nvidia(root: Path) -> Iterator[Accelerator]:
    """/proc/driver/nvidia, which the kernel module makes; its version decides which CUDA can run."""
    version = re.search(r"Kernel Module.{0,40}?(\d{3,4})\.\d", text(root / "proc/driver/nvidia/version") or "")
    for path in _glob(root, "proc/driver/nvidia/gpus/*/information"):
        yield Accelerator("cuda", field(text(path), "Model") or "NVIDIA GPU", driver=version[1] if version else None)


def _amd(root: Path) -> Iterator[Accelerator]:
    """Nodes of the compute driver that have vector units: the others are processors."""
    for path in _glob(root, "sys/class/kfd/kfd/topology/nodes/*/properties"):
        units = re.search(r"^simd_count (\d{1,6})$", text(path) or "", re.MULTILINE | re.ASCII)
        if units and int(units[1]):
            name = (text(path.with_name("name")) or "").strip() or "AMD GPU"
            banks = [text(bank) or "" for bank in _glob(path.parent, "mem_banks/*/properties")]
            sizes = [re.search(r"^size_in_bytes (\d{1,19})$", bank, re.MULTILINE | re.ASCII) for bank in banks]
            yield Accelerator("rocm", name, memory=sum(int(size[1]) for size in sizes if size) or None)


_LEAST = 1_024 * MIB
"""Memory of its own that makes a display device worth computing on: without, it shares the processor's."""

_VENDORS = {"0x1002": "AMD", "0x10de": "NVIDIA", "0x8086": "Intel"}


def _vulkan(root: Path) -> Iterator[Accelerator]:
    drivers = [*_glob(root, "usr/share/vulkan/icd.d/*.json"), *_glob(root, "etc/vulkan/icd.d/*.json")]
    for path in _glob(root, "sys/class/drm/renderD*/device/mem_info_vram_total") if drivers else ():
        memory = numbers(text(path))[:1]
        if memory and memory[0] >= _LEAST:
            maker = _VENDORS.get((text(path.with_name("vendor")) or "").strip(), "unknown")
            yield Accelerator("vulkan", f"{maker} GPU", memory=memory[0])


def _glob(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except (OSError, ValueError):
        return []


# --- the engine ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Build:
    """What the engine's libraries are for: `devices` as kinds of accelerators, `needs` as names of libraries."""

    devices: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()


_DEVICES = {"cuda": "cuda", "hip": "rocm", "vulkan": "vulkan", "metal": "metal"}
"""Parts of the names of the engine's libraries -> kinds of accelerators."""

_NEEDED = re.compile(rb"lib(?:cudart|openblas|cblas|blas|mkl_rt|amdhip64)\.so(?:\.\d{1,3})?")
_READ = 16 * MIB
"""Bytes of a library, or of the list of all, that are looked at: names of what it needs stand near its beginning."""


def build() -> Build:
    """What the installed engine was built for; nothing, if it is not installed."""
    from importlib import metadata

    try:
        files = metadata.files(ENGINE) or []
    except metadata.PackageNotFoundError:
        return Build()
    return build_of([Path(str(file.locate())) for file in files if "ggml" in file.name])


def build_of(libraries: list[Path]) -> Build:
    """What these files of an engine are for, by their names and by the libraries that they name."""
    devices, needs = set(), set()
    for path in libraries:
        named = re.match(r"(?:lib)?ggml-([a-z]+)\.(?:so|dylib|dll)", path.name)
        if not named:
            continue
        if named[1] in _DEVICES:
            devices.add(_DEVICES[named[1]])
        if named[1] in (*_DEVICES, "blas"):
            needs |= {found.decode() for found in _NEEDED.findall(_beginning(path))}
    return Build(frozenset(devices), frozenset(needs))


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_READ)
    except (OSError, ValueError):
        return b""


# --- why the CPU ---------------------------------------------------------------------------------

_NAMES = {"cuda": "CUDA", "rocm": "ROCm", "vulkan": "Vulkan", "metal": "Metal"}
_DRIVERS = ((580, 13), (525, 12), (450, 11))
"""The first driver of each CUDA generation (CUDA Compatibility, minor version compatibility)."""


def fallbacks(
    machine: Machine, built: Build, environment: Mapping[str, str] = os.environ, root: Path = Path("/")
) -> Iterator[Quirk]:
    """Why the engine will not use the accelerators of this machine; nothing where there is none.

    One reason for each kind of device, the first that holds, and one if the engine lacks a library of its own.
    """
    listed = _beginning(root / "etc/ld.so.cache")
    for kind in dict.fromkeys(one.kind for one in machine.gpus):
        yield _reason(next(one for one in machine.gpus if one.kind == kind), machine, built, environment, listed)
    missing = sorted(name for name in built.needs if "blas" in name or "mkl" in name)
    if listed and missing and not any(name.encode() in listed for name in missing):
        yield Quirk("missing-blas", f"The engine was built for {missing[0]}, which is not here: install it.")


def degraded(machine: Machine) -> tuple[str, ...]:
    """What a result says of it: empty on a machine without accelerators."""
    if not machine.gpus:
        return ()
    names = ", ".join(dict.fromkeys(one.name for one in machine.gpus))
    why = ", ".join(quirk.name for quirk in fallbacks(machine, build()))
    return (f"the model ran on the CPU, not on {names} ({why})",)


def _reason(one: Accelerator, machine: Machine, built: Build, environment: Mapping[str, str], listed: bytes) -> Quirk:
    name, kind = _NAMES[one.kind], one.kind
    if kind == "metal" and environment.get("GGML_METAL") == "0":
        return Quirk("metal-off", "GGML_METAL=0 is set: the model runs on the CPU.")
    if kind == "metal" and machine.architecture != "arm64":
        return Quirk("metal-intel", "Metal on this Mac conflicts with the engine: build it with GGML_METAL=0.")
    if kind not in built.devices:
        return Quirk(f"no-{kind}-build", f"This build of {ENGINE} has no {name}: the model runs on the CPU.")
    wanted = next((numbers(need)[-1] for need in built.needs if need.startswith("libcudart.so.")), None)
    if kind == "cuda" and wanted is not None:
        able = next((cuda for first, cuda in _DRIVERS if int(one.driver or first) >= first), 0)
        if able < wanted:
            told = f"The engine wants CUDA {wanted}, driver {one.driver} ends at {able or 10}"
            return Quirk("cuda-driver", f"{told}: update the driver. The model runs on the CPU.")
        if f"libcudart.so.{wanted}".encode() not in listed:
            return Quirk("cuda-runtime", f"libcudart.so.{wanted} is not here: install it. The model runs on the CPU.")
    return Quirk("gpu-unused", "A worker may open no device once it is locked down: the model runs on the CPU.")
