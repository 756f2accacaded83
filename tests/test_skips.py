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


@pytest.mark.parametrize(
    ("reason", "strict", "code"),
    [
        ("the kernel is too old for the sandbox", True, 1),
        ("the kernel is too old for the sandbox", False, 0),
        ("GSM8K is not beside the project", True, 0),
    ],
)
def test_a_run_with_an_unlisted_skip_fails(tmp_path: Path, reason: str, strict: bool, code: int) -> None:
    for name in ("conftest.py", "skips.toml"):
        (tmp_path / name).write_text((TESTS / name).read_text())
    (tmp_path / "test_one.py").write_text(f"import pytest\n\ndef test_one():\n    pytest.skip({reason!r})\n")
    environment = {name: value for name, value in os.environ.items() if name != "STRICT_SKIPS"}
    if strict:
        environment["STRICT_SKIPS"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert ("SKIP NOT LISTED" in done.stdout) == (code == 1)
