"""The API: crowds and strange bodies against a server over the real model, and the tests of slow clients."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from harness import Trial, case, of_pytest

HERE = Path(__file__).parent
BOUNDS = "tests/interfaces/http/test_bounds.py"


def _plug(name: str, script: str, many: str, full: int, *words: str, seeded: bool = False) -> None:
    """A script beside this file that ends with 0 if all held; `many` names its option for how many."""

    def run(trial: Trial) -> None:
        """As the script says."""
        command = [sys.executable, str(HERE / script), f"--{many}", str(trial.tries), *words]
        seed = ["--seed", str(trial.seed)] if seeded else []
        started = time.monotonic()
        ran = subprocess.run([*command, *seed], capture_output=True, text=True, timeout=1_800, check=False)
        trial.made += trial.tries
        trial.seconds.append(time.monotonic() - started)
        if ran.returncode:
            faults = [line for line in ran.stdout.splitlines() if line.startswith("FAULT")]
            trial.faults += faults or [(ran.stdout + ran.stderr)[-500:]]

    case(name, "API", small=0, worst="of them all", real=full)(run)


_plug("strange bodies", "strange_bodies.py", "bodies", 5_000, seeded=True)
_plug("streams over HTTP", "http_load.py", "streams", 64, "--burst", "0", "--idle", "0")
_plug("burst over HTTP", "http_load.py", "burst", 2_000, "--streams", "0", "--idle", "0")
_plug("idle connections", "http_load.py", "idle", 1_000, "--streams", "0", "--burst", "0")
of_pytest("slow clients", "API", BOUNDS)
