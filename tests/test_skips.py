"""A skip that is not listed fails CI, and every listed one says why it is put up with."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = tomllib.loads((TESTS / "skips.toml").read_text())["skip"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["reason"][:20])
def test_each_listed_skip_says_why(row: dict[str, str]) -> None:
    assert set(row) == {"reason", "why"}
    assert len(row["why"].split()) > 3


OLD, ABSENT = "the kernel is too old for the sandbox", "GSM8K is not beside the project"
TEST, FILE = "def test_one(): ", ""


@pytest.mark.parametrize(
    ("reason", "of", "strict", "processes", "code"),
    [
        (OLD, TEST, True, 1, 1),
        (OLD, FILE, True, 1, 1),
        (OLD, TEST, True, 2, 1),
        (OLD, FILE, True, 2, 1),
        (OLD, TEST, False, 1, 0),
        (ABSENT, TEST, True, 1, 0),
        (ABSENT, FILE, True, 2, 0),
    ],
)
def test_a_run_with_an_unlisted_skip_fails(
    tmp_path: Path, reason: str, of: str, strict: bool, processes: int, code: int
) -> None:
    for name in ("conftest.py", "skips.toml"):
        (tmp_path / name).write_text((TESTS / name).read_text())
    body = f"import pytest\n\n{of}pytest.skip({reason!r}, allow_module_level=True)\n"
    (tmp_path / "test_one.py").write_text(body)
    (tmp_path / "test_two.py").write_text("def test_two():\n    pass\n")
    environment = {name: value for name, value in os.environ.items() if name != "STRICT_SKIPS"}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({"STRICT_SKIPS": "1"} if strict else {})
    several = ["-p", "xdist", "-n", str(processes)] if processes > 1 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *several, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert ("SKIP NOT LISTED" in done.stdout) == (code == 1)
