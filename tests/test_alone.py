"""Tests in two processes: one that is marked `alone` runs beside none, and all others do run beside each other."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

TESTS = Path(__file__).parent

FILE = """
import time
from pathlib import Path

import pytest

def noted(kind):
    begun = time.monotonic()
    time.sleep(0.2)
    with Path(__file__).with_suffix(".notes").open("a") as notes:
        notes.write(f"{kind} {begun} {time.monotonic()}\\n")

@pytest.mark.parametrize("number", range(6))
def test_beside_others(number):
    noted("beside")

@pytest.mark.alone
def test_alone():
    noted("alone")

@pytest.mark.parametrize("number", range(6))
def test_beside_others_again(number):
    noted("beside")
"""


def spans(file: Path) -> list[tuple[str, float, float]]:
    rows = (line.split() for line in file.read_text().splitlines())
    return [(kind, float(begun), float(ended)) for kind, begun, ended in rows]


def test_who_is_alone_is_beside_none(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    for name in ("one", "two"):
        (tmp_path / f"test_{name}.py").write_text(FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist", "-n", "2"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("STRICT_SKIPS", None)  # its list is beside our own conftest.py
    done = subprocess.run(
        [*command, "--dist", "loadfile", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = (spans(tmp_path / f"test_{name}.notes") for name in ("one", "two"))
    assert len(ours) == len(theirs) == 13
    together = [{one[0], other[0]} for one, other in product(ours, theirs) if one[1] < other[2] and other[1] < one[2]]
    assert {"beside"} in together, "they never met, which shows nothing"
    assert not [kinds for kinds in together if "alone" in kinds]
