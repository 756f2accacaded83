"""The examples of chains, gates and the guard run as they stand, and send nothing anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def printed(name: str) -> str:
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=True).stdout


def test_the_guard() -> None:
    lines = printed("guard.py").splitlines()
    assert "No tool was called in this turn that could save anything" in lines[0]
    assert "convert_units said 42.1648, not 43." in lines[1]
    assert lines[2] == "It is 42.16 kilometers. []"
    assert [line.endswith("made") for line in lines[3:]] == [True, True, False]


def test_the_cascade(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINNET_REMOTE_URL", "LINNET_ALLOW_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    said = printed("cascade.py")
    assert "Hello there -> Hello! (rule)" in said
    assert "(fallback:specialists/specialist:judge)" in said
    assert "Paris" in said
    assert said.splitlines()[-1] == "0.12 * 250 = 30"
