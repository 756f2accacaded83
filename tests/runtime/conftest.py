"""A llama-server over the default model, for the tests of those that ask servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def llama_server(model_path: Path) -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    script = Path(__file__).parents[2] / "benchmarks" / "llama_server.py"
    command = [sys.executable, str(script), str(model_path), "--threads", "1", "--slots", "1", "--context", "512"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            yield f"{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()
