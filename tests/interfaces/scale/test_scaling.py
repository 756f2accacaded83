"""`--replicas 1:2` on a cluster of this machine: a second replica comes and goes with the queue; nothing is lost."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "torture" / "ray_scaling.py"


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="the extra linnet[ray] is not installed: `make test-ray` does it",
)
@pytest.mark.timeout(600)
def test_a_second_replica_comes_and_goes_with_the_queue() -> None:
    command = [sys.executable, str(PROGRAM), "--quick", "--seconds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, (done.stdout, done.stderr[-3_000:])
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["one_at_first"] and told["two_after"] > 0 and told["one_again_after"] > 0
    assert told["answers"] >= 8 and told["faults"] == [] and told["gone_on_elsewhere"] == 0
