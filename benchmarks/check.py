"""How long it takes to check a model file, and how much memory that needs.

    python benchmarks/check.py [--model default] [--runs 9]

The file cache is warm; medians. `in process` is the check alone, `command` a whole `linnet models check`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from linnet.limits import MIB
from linnet.models import store
from linnet.models.gguf import open_model
from linnet.models.integrity import Report, examine


def check(path: Path) -> Report:
    with open_model(path) as file:
        return examine(file)


def timed(job: Callable[[], object], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="default")
    options.add_argument("--runs", type=int, default=9)
    given = options.parse_args()
    path = store.locate(given.model).path
    report = check(path)
    tracemalloc.start()
    check(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    command = [sys.executable, "-m", "linnet", "models", "check", str(path)]
    jobs = {"in process": lambda: check(path), "command": lambda: subprocess.run(command, capture_output=True)}
    print(f"{report.size / MIB:.1f} MiB, {report.vocabulary} tokens, {report.tensors} tensors, sound: {report.sound}")
    print(f"{'':12} {'median s':>9} {'min':>6} {'max':>6}")
    for name, job in jobs.items():
        seconds = timed(job, given.runs)
        print(f"{name:12} {statistics.median(seconds):9.2f} {min(seconds):6.2f} {max(seconds):6.2f}")
    print(f"memory allocated at most: {peak / MIB:.1f} MiB")


if __name__ == "__main__":
    main()
