"""The examples of verification, chains and micro-agents, run as anybody would, on the real model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("verified_answer", "direct said"),
        ("mini_chain", "every step held"),
        ("micro_agents", "fallback:continuation"),
    ],
)
def test_it_runs(name: str, said: str) -> None:
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout and not done.stderr
