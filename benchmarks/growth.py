"""Whether a worker, or its caller, grows with the requests that it answers; and how soon a prefix is back from disk.

    python benchmarks/growth.py [--requests 2000] [--model default] [--json]

Short answers, every third of them a score and every third under a constraint, all with prompts of their own. Memory
is resident memory by /proc, once for each hundred requests; the slope is that of a straight line through the second
half, when caches are full. The prefix has 1,000 tokens, is stored by one process and wanted by the next ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
import time
from pathlib import Path

from linnet.evals.speed import texts
from linnet.limits import MIB
from linnet.requests import Choice, Generate, Request, Score, Segment, complete
from linnet.runtime.local import LocalModel, open_local

EVERY = 100


def resident(pid: int) -> float:
    """MiB of a process that stand in memory."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1_024 / MIB if found else 0.0


def request(number: int) -> Request:
    prompt = (Segment(f"Request {number}: {texts.story(number)}", False),)
    if number % 3 == 0:
        return Score(prompt, (" Good.", " Bad, and never to be done again."))
    return Generate(prompt, constraint=Choice(("yes", "no")) if number % 3 == 1 else None, max_tokens=6)


def grown(model: LocalModel, count: int) -> dict[str, list[float]]:
    """Resident memory of worker and caller in MiB, from request to request."""
    seen: dict[str, list[float]] = {"worker": [], "caller": []}
    for number in range(count):
        complete(model, request(number))
        if number % EVERY == EVERY - 1:
            assert model.supervisor.pid is not None
            seen["worker"].append(resident(model.supervisor.pid))
            seen["caller"].append(resident(os.getpid()))
    return seen


def slope(values: list[float]) -> float:
    """MiB a thousand requests, by least squares over the second half."""
    half = values[len(values) // 2 :]
    return statistics.linear_regression(range(len(half)), half).slope * 1_000 / EVERY


def restored(name: str, rounds: int = 5) -> list[float]:
    """Milliseconds until a prefix of 1,000 tokens is back from disk, in a new process each."""
    took = []
    for number in range(rounds + 1):
        model = open_local(name, context=2_048, snapshots=True)
        stable = texts.of_length(model, 1_000, 7)
        prompt = (*stable, Segment(f" And then, {number} times,", False))
        done = complete(model, Generate(prompt, max_tokens=1, stable=1))
        store = model.supervisor.snapshots
        assert store is not None
        if number:
            assert done.usage.cached_tokens > 900, "it was computed again"
            took.append(1_000 * store.seconds[-1])
        time.sleep(1.0 if number else 3.0)  # for the thread that writes it
        model.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LINNET_CACHE"] = folder
        took = restored(chosen.model)
    model = open_local(chosen.model)
    try:
        seen = grown(model, chosen.requests)
    finally:
        model.close()
    slopes = {name: slope(values) for name, values in seen.items()}
    if chosen.json:
        print(json.dumps({"resident": seen, "slopes": slopes, "restored_ms": took}))
        return
    for name, values in seen.items():
        print(
            f"{name}: {values[0]:.1f} MiB at first, {values[-1]:.1f} at last, {slopes[name]:+.2f} a thousand requests"
        )
    low, high = min(took), max(took)
    print(f"a prefix of 1,000 tokens is back from disk in {statistics.median(took):.0f} ms ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
