"""The example programs for many requests and for event loops run, and say what their pages say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def said(name: str) -> list[str]:
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_many_requests() -> None:
    walk, product, empty, short = said("many_requests.py")
    assert walk.endswith("A walk of 12 km takes 144 minutes. (model)")
    assert product == "'What is 17 times 24?': 17 * 24 = 408 (rule)"
    assert empty == "' ': the request is empty (failed)"
    assert short.endswith("A walk of 3 km takes 36 minutes. (rule)")


def test_requests_in_an_event_loop() -> None:
    assert said("async_requests.py") == [
        "Noted: milk. 17 * 24 = 408",
        *("Step", "ToolCall", "ToolResult", "Step", "Said") * 2,
        "['Noted: honey.', '2 + 2 = 4']",
        "given up: the engine is free for others",
    ]
