"""Facts read from made-up machines, laid out as the kernel does, and from the one that runs this."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linnet.hardware import probe as subject
from linnet.hardware import tiles
from linnet.hardware.probe import Machine, Measurement, busy_cores, contention, probe, recall, remember

GIB = 1 << 30

STATUS = "Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCpus_allowed:\tff\nCpus_allowed_list:\t{allowed}\n"

X86 = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu sse4_2 avx avx2 fma f16c avx512f avx512_vnni nonsense

processor\t: 1
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu
"""

ARM = """processor\t: 0
Features\t: fp asimd evtstrm asimdhp asimddp i8mm bf16 sve
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def host(allowed: str = "0-7", uid: int = 1000, cpuinfo: str = X86) -> dict[str, str]:
    """Eight logical cores on four physical ones, 16 GiB of which 8 are available."""
    siblings = {
        f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list": f"{core % 4},{core % 4 + 4}\n"
        for core in range(8)
    }
    return {
        "proc/cpuinfo": cpuinfo,
        "proc/meminfo": f"MemTotal:       {16 << 20} kB\nMemFree: 1 kB\nMemAvailable:   {8 << 20} kB\n",
        "proc/loadavg": "1.50 0.75 0.25 2/84 6523\n",
        "proc/self/status": STATUS.format(allowed=allowed, uid=uid),
        "proc/sys/kernel/osrelease": "6.1.0-test\n",
        "proc/sys/kernel/seccomp/actions_avail": "kill_process trap errno allow\n",
        "sys/devices/system/cpu/online": "0-7\n",
        **siblings,
    }


MOUNT_2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_a_plain_host(tmp_path: Path) -> None:
    machine = probe(plant(tmp_path, host()))
    assert (machine.cores, machine.physical_cores, machine.affinity) == (8, 4, 8)
    assert (machine.quota, machine.memory_limit) == (None, None)
    assert (machine.memory, machine.memory_available) == (16 * GIB, 8 * GIB)
    assert machine.cpu == "Some CPU @ 2.00GHz"
    assert machine.features == ("sse4_2", "f16c", "fma", "avx", "avx2", "avx512f", "avx512_vnni")
    assert machine.load == (1.5, 0.75, 0.25)
    assert machine.kernel == "6.1.0-test"
    assert machine.seccomp is True
    assert machine.accelerators == ()


def test_affinity_narrows_the_physical_cores(tmp_path: Path) -> None:
    machine = probe(plant(tmp_path, host(allowed="0,4-5")))
    assert (machine.cores, machine.affinity, machine.physical_cores) == (8, 3, 2)


def test_arm_features_have_the_engines_names(tmp_path: Path) -> None:
    machine = probe(plant(tmp_path, host(cpuinfo=ARM)))
    assert machine.cpu == "ARM 0x41 0xd40"
    assert machine.features == ("neon", "dotprod", "fp16", "i8mm", "bf16", "sve")


# --- cgroups -------------------------------------------------------------------------------------


def test_version_2_nested_takes_the_least_of_all_levels(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/app.slice/unit.service"
    machine = probe(
        plant(
            tmp_path,
            {
                **host(),
                "proc/self/cgroup": "0::/app.slice/unit.service\n",
                "proc/self/mountinfo": MOUNT_2,
                f"{group}/cpu.max": "400000 100000\n",
                f"{group}/memory.max": "max\n",
                f"{group}/memory.current": f"{GIB}\n",
                "sys/fs/cgroup/app.slice/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/app.slice/memory.max": f"{4 * GIB}\n",
                "sys/fs/cgroup/app.slice/memory.high": f"{3 * GIB}\n",
                "sys/fs/cgroup/app.slice/memory.current": f"{2 * GIB}\n",
                "sys/fs/cgroup/app.slice/memory.stat": f"anon 1\ninactive_file {GIB}\nactive_file 5\n",
            },
        )
    )
    assert machine.quota == 1.5
    assert machine.memory_limit == 3 * GIB
    assert machine.memory_available == 2 * GIB, "3 allowed, 2 used, of which 1 can be dropped"


def test_version_2_without_limits(tmp_path: Path) -> None:
    files = {
        **host(),
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": MOUNT_2,
        "sys/fs/cgroup/cpu.max": "max 100000\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    machine = probe(plant(tmp_path, files))
    assert (machine.quota, machine.memory_limit, machine.memory_available) == (None, None, 8 * GIB)


def test_version_1_in_a_container_that_sees_its_path_from_outside(tmp_path: Path) -> None:
    machine = probe(
        plant(
            tmp_path,
            {
                **host(),
                "proc/self/cgroup": "4:memory:/docker/abc/inner\n3:cpu,cpuacct:/docker/abc\n1:name=x:/\n",
                "proc/self/mountinfo": (
                    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                    "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
                ),
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
                "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB // 2}\n",
                "sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "9223372036854771712\n",
            },
        )
    )
    assert machine.quota == 2.5
    assert machine.memory_limit == 2 * GIB
    assert machine.memory_available == GIB + GIB // 2


def test_version_1_without_a_quota_beside_an_empty_version_2(tmp_path: Path) -> None:
    files = {
        **host(),
        "proc/self/cgroup": "1:cpu:/\n0::/\n",
        "proc/self/mountinfo": (
            "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
            "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        ),
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    machine = probe(plant(tmp_path, files))
    assert (machine.quota, machine.memory_limit) == (None, None)


@pytest.mark.parametrize("path", ["/../../outside", "/elsewhere", "/docker/abcdef"])
def test_a_path_that_leads_out_of_the_mount_counts_as_its_top(path: str, tmp_path: Path) -> None:
    files = {
        **host(),
        "proc/self/cgroup": f"0::{path}\n",
        "proc/self/mountinfo": MOUNT_2.replace(" / /sys", " /docker/abc /sys"),
        "sys/fs/cgroup/cpu.max": "100000 100000\n",
        "outside/cpu.max": "1 100000\n",
        "sys/fs/cgroup/def/cpu.max": "1 100000\n",
    }
    assert probe(plant(tmp_path, files)).quota == 1.0


# --- what cannot be read -------------------------------------------------------------------------


def test_an_empty_tree_is_unknown_throughout(tmp_path: Path) -> None:
    machine = probe(tmp_path)
    silent = {"tier", "architecture", "landlock", "accelerators", "gpus", "quirks"}
    assert {name for name, value in vars(machine).items() if value is not None} <= silent
    assert contention(0.0, tmp_path) is None


def test_folders_in_place_of_files(tmp_path: Path) -> None:
    for name in host():
        (tmp_path / name).mkdir(parents=True)
    assert probe(tmp_path).cores is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_garbage_never_raises(data: st.DataObject, tmp_path: Path) -> None:
    names = [*host(), "proc/stat", "proc/self/cgroup", "proc/self/mountinfo", "sys/fs/cgroup/cpu.max"]
    names += ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current", "proc/sys/vm/overcommit_memory"]
    plant(tmp_path, {**host(), "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": MOUNT_2})
    words = st.sampled_from(
        [b"max", b"-1", b"0", b"9" * 5_000, b"0-4294967295", b"\x00", b" - ", b":", b"\n", b"../"]
    )
    garbage = st.binary(max_size=40) | st.lists(words, max_size=8).map(b"".join)
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=6)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data.draw(garbage))
    machine = probe(tmp_path)
    assert machine.quota is None or machine.quota > 0
    assert contention(0.0, tmp_path) in (None, 0.0)


# --- devices and quirks --------------------------------------------------------------------------


def test_accelerators_are_named(tmp_path: Path) -> None:
    devices = ["nvidia1", "nvidia0", "nvidiactl", "dri/renderD128", "dri/card0", "kfd"]
    machine = probe(plant(tmp_path, {**host(), **{f"dev/{name}": "" for name in devices}}))
    assert machine.accelerators == ("nvidia0", "nvidia1", "dri/renderD128", "kfd")


QUIRKS: dict[str, dict[str, str]] = {
    "root": {"proc/self/status": STATUS.format(allowed="0-7", uid=0)},
    "wsl": {"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"},
    "container": {".dockerenv": ""},
    "hybrid-cores": {"sys/devices/cpu_atom/cpus": "4-7\n"},
    "strict-overcommit": {"proc/sys/vm/overcommit_memory": "2\n"},
    "no-seccomp": {"proc/sys/kernel/seccomp/actions_avail": "kill_process allow\n"},
    "cpu-quota": {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": MOUNT_2,
        "sys/fs/cgroup/cpu.max": "200000 100000\n",
    },
    "memory-limit": {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": MOUNT_2,
        "sys/fs/cgroup/memory.max": f"{GIB}\n",
    },
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have a quirk of their own")
@pytest.mark.parametrize("name", QUIRKS)
def test_quirks(name: str, tmp_path: Path) -> None:
    def named(root: Path) -> set[str]:
        return {quirk.name for quirk in probe(root).quirks} - {"no-landlock"}  # the running kernel's own

    plain = named(plant(tmp_path / "plain", host()))
    assert plain <= {"no-avx2"}
    assert named(plant(tmp_path / "odd", {**host(), **QUIRKS[name]})) - plain == {name}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a quirk of x86")
def test_no_avx2(tmp_path: Path) -> None:
    machine = probe(plant(tmp_path, host(cpuinfo=X86.replace(" avx2", ""))))
    assert [quirk.name for quirk in machine.quirks if quirk.name == "no-avx2"] == ["no-avx2"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a quirk of x86")
@pytest.mark.parametrize("usable", [True, False])
def test_tiles_are_a_feature_where_the_engine_can_use_them(
    usable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "usable", lambda: usable)
    machine = probe(plant(tmp_path, host(cpuinfo=X86.replace(" avx2", " avx2 amx_tile amx_int8"))))
    assert ({"amx_tile", "amx_int8"} <= set(machine.features or ())) is usable
    assert ("no-amx" in {quirk.name for quirk in machine.quirks}) is not usable
    assert "avx2" in (machine.features or ())


# --- this machine --------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="compares with what Linux tells by other ways")
def test_this_machine() -> None:
    machine = probe()
    assert machine.tier == "linux"
    assert machine.affinity == len(os.sched_getaffinity(0))
    assert machine.cores == os.sysconf("SC_NPROCESSORS_ONLN")
    assert machine.memory is not None
    assert abs(machine.memory - os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) < 1 << 20
    assert machine.memory_available is not None
    assert 0 < machine.memory_available <= machine.memory
    assert machine.kernel == platform.release()
    assert machine.landlock >= 0
    assert json.dumps(vars(machine), default=vars)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat is Linux's")
@pytest.mark.alone
def test_contention_sees_spinning_processes() -> None:
    code = "print('spinning', flush=True)\nwhile True: pass"
    count = len(os.sched_getaffinity(0))
    spinners = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(min(count, 2))]
    try:
        for spinner in spinners:
            assert spinner.stdout is not None
            spinner.stdout.readline()
        busy = contention(0.2)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.communicate()
    assert busy is not None
    assert 0.5 * len(spinners) <= busy <= count


@pytest.mark.parametrize(
    ("before", "after", "allowed", "busy"),
    [
        ({0: (0, 0), 1: (0, 0)}, {0: (5, 5), 1: (5, 5)}, frozenset(), 0.0),
        ({0: (0, 0), 1: (0, 0)}, {0: (0, 5), 1: (5, 5)}, frozenset(), 1.0),
        ({0: (0, 0), 1: (0, 0)}, {0: (1, 4), 1: (2, 4)}, frozenset(), 1.25),
        ({0: (0, 0), 1: (0, 0)}, {0: (0, 5), 1: (5, 5)}, frozenset({1}), 0.0),
        ({0: (0, 0)}, {0: (0, 0)}, frozenset(), 0.0),
        ({0: (9, 9)}, {0: (0, 18)}, frozenset(), 1.0),
        ({0: (0, 0)}, {}, frozenset(), 0.0),
    ],
)
def test_busy_cores(before: Any, after: Any, allowed: frozenset[int], busy: float) -> None:
    assert busy_cores(before, after, allowed) == busy


def test_stolen_time_is_busy_and_waiting_for_disks_is_not(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/stat": "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 0 2 30 4 0 0 50 9 9\nintr 1\n"})
    assert subject.ticks(tmp_path) == {0: (34, 87)}


def test_bandwidth_keeps_its_time() -> None:
    import numpy as np  # outside the time that is measured

    assert np.__version__
    start = time.perf_counter()
    found = subject.bandwidth(0.05)
    assert time.perf_counter() - start < 60.0
    assert found is None or 0.1 < found < 10_000


def test_bandwidth_without_time_is_unknown() -> None:
    assert subject.bandwidth(0.0) is None


# --- what is kept --------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hardware.json"


HERE = Machine("linux", "x86_64", cpu="Some CPU", cores=8, affinity=8, quota=None, load=(1.0, 1.0, 1.0))


def test_remembered_for_the_same_machine_only(cache: Path) -> None:
    other = Machine("linux", "x86_64", cpu="Some CPU", cores=8, affinity=8, quota=2.0)
    assert recall(HERE) is None
    assert remember(HERE, Measurement(bandwidth=34.0, decode=100.0))
    assert remember(other, Measurement(bandwidth=1.0))
    rebooted = Machine("linux", "x86_64", kernel="7.0", cpu="Some CPU", cores=8, affinity=8, load=(9.0, 9.0, 9.0))
    assert recall(rebooted) == Measurement(bandwidth=34.0, decode=100.0)
    assert recall(other) == Measurement(bandwidth=1.0)


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '{"x": 1}'])
def test_a_broken_cache_is_forgotten_and_replaced(cache: Path, body: str) -> None:
    cache.parent.mkdir()
    cache.write_text(body)
    assert recall(HERE) is None
    assert remember(HERE, Measurement(decode=5.0))
    assert recall(HERE) == Measurement(decode=5.0)


@pytest.mark.parametrize("value", ["fast", -1, 0, True, None, [], 1e300])
def test_a_number_that_is_none_is_unknown(cache: Path, value: Any) -> None:
    assert remember(HERE, Measurement(bandwidth=2.0))
    kept = json.loads(cache.read_text())
    next(iter(kept.values())).update(decode=value, surplus=1)
    cache.write_text(json.dumps(kept))
    assert recall(HERE) == Measurement(bandwidth=2.0)


def test_an_unwritable_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "file"))
    assert not remember(HERE, Measurement(bandwidth=2.0))
    assert recall(HERE) is None
