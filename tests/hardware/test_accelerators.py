"""Accelerators of made-up machines, and why none of them is used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linnet.hardware.accelerators import (
    Build,
    accelerators,
    ask_nvidia,
    build,
    build_of,
    degraded,
    fallbacks,
)
from linnet.hardware.machine import Accelerator, Machine
from linnet.hardware.probe import probe
from linnet.limits import KIB, MIB

GIB = KIB * MIB
CARD = Accelerator("cuda", "NVIDIA GeForce RTX 3060", driver="535")
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def found(root: Path, files: dict[str, str], tier: str = "linux") -> tuple[Accelerator, ...]:
    return accelerators(plant(root, files), tier, "x86_64")


# --- devices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "driver"), [(OPEN, "550"), (CLOSED, "535"), ("what?", None)])
def test_nvidia_by_its_kernel_module(version: str, driver: str | None, tmp_path: Path) -> None:
    files = {
        "proc/driver/nvidia/version": version,
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ: 1\n",
        "proc/driver/nvidia/gpus/0000:02:00.0/information": "garbage",
    }
    assert found(tmp_path, files) == (
        Accelerator("cuda", "NVIDIA GeForce RTX 3060", driver=driver),
        Accelerator("cuda", "NVIDIA GPU", driver=driver),
    )
    assert probe(tmp_path).gpus == accelerators(tmp_path, "linux", "x86_64")


def test_amd_by_its_topology(tmp_path: Path) -> None:
    nodes = "sys/class/kfd/kfd/topology/nodes"
    files = {
        f"{nodes}/0/properties": "cpu_cores_count 8\nsimd_count 0\n",
        f"{nodes}/1/properties": "cpu_cores_count 0\nsimd_count 96\n",
        f"{nodes}/1/name": "gfx1100\n",
        f"{nodes}/1/mem_banks/0/properties": f"heap_type 1\nsize_in_bytes {24 * GIB}\n",
    }
    assert found(tmp_path, files) == (Accelerator("rocm", "gfx1100", memory=24 * GIB),)


def test_vulkan_needs_a_driver_and_memory_of_its_own(tmp_path: Path) -> None:
    card = "sys/class/drm/renderD128/device"
    files = {f"{card}/mem_info_vram_total": f"{8 * GIB}\n", f"{card}/vendor": "0x1002\n"}
    files["sys/class/drm/renderD129/device/mem_info_vram_total"] = f"{512 * MIB}\n"
    assert found(tmp_path, files) == ()
    files["usr/share/vulkan/icd.d/radeon_icd.json"] = "{}"
    assert found(tmp_path, files) == (Accelerator("vulkan", "AMD GPU", memory=8 * GIB),)


def test_nothing_and_a_mac(tmp_path: Path) -> None:
    assert found(tmp_path, {}) == ()
    assert [one.kind for one in found(tmp_path, {}, "macos")] == ["metal"]


def script(folder: Path, text: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_memory_is_asked_for_in_a_child(tmp_path: Path) -> None:
    asked = ask_nvidia((CARD, CARD), script(tmp_path, "echo 11000; echo 12000"))
    assert [one.memory for one in asked] == [11_000 * MIB, 12_000 * MIB]
    assert ask_nvidia((), script(tmp_path, f"touch {tmp_path}/ran")) == ()
    assert not (tmp_path / "ran").exists(), "not asked where there is no such card"


@pytest.mark.parametrize("text", ["exit 1", "echo '[N/A]'", "printf ''"])
def test_a_command_that_fails_changes_nothing(text: str, tmp_path: Path) -> None:
    assert ask_nvidia((CARD,), script(tmp_path, text)) == (CARD,)
    assert ask_nvidia((CARD,), str(tmp_path / "absent")) == (CARD,)


# --- the engine ----------------------------------------------------------------------------------


def libraries(folder: Path, **contents: str) -> list[Path]:
    for name, text in contents.items():
        (folder / f"libggml-{name}.so").write_bytes(b"\x7fELF\0" + text.encode() + b"\0")
    return sorted(folder.glob("*.so"))


def test_a_build_is_known_by_its_libraries(tmp_path: Path) -> None:
    files = libraries(
        tmp_path, base="", cpu="libblas.so.3", cuda="x\0libcudart.so.12", hip="", blas="libopenblas.so.0"
    )
    assert build_of(files) == Build(frozenset({"cuda", "rocm"}), frozenset({"libcudart.so.12", "libopenblas.so.0"}))
    assert build_of([tmp_path / "libggml-vulkan.so"]).devices == {"vulkan"}, "even one that cannot be read"


def test_the_build_here_is_found() -> None:
    assert build().devices == frozenset(), "the engine installed here has no device"


# --- why the CPU ---------------------------------------------------------------------------------


def names(machine: Machine, built: Build, folder: Path, cache: str = "", **environment: str) -> list[str]:
    plant(folder, {"etc/ld.so.cache": cache})
    told = list(fallbacks(machine, built, environment, folder))
    assert all(quirk.advice.endswith(".") for quirk in told)
    return [quirk.name for quirk in told]


def of(*gpus: Accelerator, tier: str = "linux", architecture: str = "x86_64") -> Machine:
    return Machine(tier, architecture, gpus=gpus)


CUDA_12 = Build(frozenset({"cuda"}), frozenset({"libcudart.so.12"}))
CUDA_13 = Build(frozenset({"cuda"}), frozenset({"libcudart.so.13"}))


def test_each_reason(tmp_path: Path) -> None:
    there = "libcudart.so.12\0libcudart.so.13\0"
    assert names(of(), CUDA_12, tmp_path) == []
    assert names(of(CARD), Build(), tmp_path) == ["no-cuda-build"]
    assert names(of(CARD), CUDA_13, tmp_path, there) == ["cuda-driver"]
    assert names(of(CARD), CUDA_12, tmp_path, "libcudart.so.11") == ["cuda-runtime"]
    assert names(of(CARD), CUDA_12, tmp_path, there) == ["gpu-unused"]
    assert names(of(CARD, CARD), Build(), tmp_path) == ["no-cuda-build"], "one of a kind is enough"
    assert names(of(Accelerator("rocm", "gfx1100")), CUDA_12, tmp_path) == ["no-rocm-build"]
    unknown = Accelerator("cuda", "NVIDIA GPU")
    assert names(of(unknown), CUDA_13, tmp_path, there) == ["gpu-unused"], "an unknown driver is not blamed"


def test_macs(tmp_path: Path) -> None:
    metal, built = Accelerator("metal", "Apple GPU"), Build(frozenset({"metal"}))
    apple = of(metal, tier="macos", architecture="arm64")
    assert names(apple, built, tmp_path) == ["gpu-unused"]
    assert names(apple, built, tmp_path, GGML_METAL="0") == ["metal-off"]
    assert names(apple, Build(), tmp_path) == ["no-metal-build"]
    assert names(of(metal, tier="macos"), built, tmp_path) == ["metal-intel"]


def test_a_missing_blas(tmp_path: Path) -> None:
    blas = Build(needs=frozenset({"libopenblas.so.0"}))
    assert names(of(), blas, tmp_path, "libm.so.6") == ["missing-blas"]
    assert names(of(), blas, tmp_path, "libopenblas.so.0") == []
    assert names(of(), blas, tmp_path, "") == [], "no list, no blame"


def test_a_result_tells_of_it() -> None:
    assert degraded(of()) == ()
    (told,) = degraded(of(CARD))
    assert told == "the model ran on the CPU, not on NVIDIA GeForce RTX 3060 (no-cuda-build)"


def test_unreadable_places_are_nothing(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/driver/nvidia/version/x": "", "proc/driver/nvidia/gpus": ""})
    assert found(tmp_path, {}) == ()
    os.mkfifo(tmp_path / "etc")
    assert list(fallbacks(of(CARD), CUDA_12, {}, tmp_path)) != []
