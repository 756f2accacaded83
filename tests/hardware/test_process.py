"""What processes hold: by files of our own, and of this very process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linnet.hardware.process import Held, age, held

STATUS = "Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  800 kB\nRssAnon:\t 500 kB\nRssFile:\t 200 kB\nRssShmem:\t 100 kB\n"


def test_sizes_are_bytes(tmp_path: Path) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/status").write_text(STATUS)
    one = held(7, tmp_path)
    assert one == Held(800 * 1024, 500 * 1024, 300 * 1024, 900 * 1024)
    assert one is not None and (one + one).resident == 1600 * 1024


@pytest.mark.parametrize("status", [None, "", "VmRSS:\n", "garbage"])
def test_what_is_gone_or_garbled_is_none(tmp_path: Path, status: str | None) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    if status is not None:
        (tmp_path / "proc/7/status").write_text(status)
        (tmp_path / "proc/7/stat").write_text(status)
    assert held(7, tmp_path) is None and age(7, tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_this_process() -> None:
    own, years = held(os.getpid()), age(os.getpid())
    assert own is not None and 0 < own.private < own.resident <= own.peak
    assert own.private + own.shared == own.resident
    assert years is not None and 0 < years < 1e5
