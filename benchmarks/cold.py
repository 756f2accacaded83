"""How long `linnet run` takes from a cold process to its answer, and how much memory the caller needs.

    python benchmarks/cold.py [--runs 5]

Whole processes, file cache warm; medians, and the caller's own peak resident memory (its children apart).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

CASES = {
    "rule": ["What is 15% of 2,340 plus the square root of 144?"],
    "model, call": [
        "--tools",
        "examples/tools.py",
        "Could you dim the lights in the living room to 30 percent please",
    ],
    "model, filled by the model": [
        "--tools",
        "examples/tools.py",
        "Remind me to call Anna and Ben about the house tomorrow",
    ],
    "model, own words": ["Who was the first man on the moon?"],
}
PEAK = (
    "import resource, runpy, sys, atexit; sys.argv = ['linnet', *sys.argv[1:]]; "
    "atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)); "
    "runpy.run_module('linnet', run_name='__main__')"
)


def once(arguments: list[str]) -> tuple[float, float, dict[str, object]]:
    started = time.monotonic()
    command = [sys.executable, "-c", PEAK, "run", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - started
    return seconds, int(done.stderr.split()[-1]) / 1024, json.loads(done.stdout)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5)
    runs = options.parse_args().runs
    print(f"{'case':28} {'median s':>9} {'min':>6} {'max':>6} {'caller MB':>10} {'prompt tokens':>14}")
    for name, arguments in CASES.items():
        results = [once(arguments) for _ in range(runs)]
        seconds = [result[0] for result in results]
        usage = results[-1][2]["usage"]
        memory = max(result[1] for result in results)
        print(
            f"{name:28} {statistics.median(seconds):9.2f} {min(seconds):6.2f} {max(seconds):6.2f} {memory:10.0f} "
            f"{usage['prompt_tokens'] - usage['cached_tokens']:14}"
        )


if __name__ == "__main__":
    main()
