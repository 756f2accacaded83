"""Strange bodies against a running server: only 2xx and 4xx, never a fault, and it answers as before afterwards.

    python tests/torture/strange_bodies.py --bodies 5000 --seed 1

Without --url a server over the real model is started. Prints what came back by status and code.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

STRANGE = Path(__file__).parents[1] / "interfaces" / "http" / "strange.py"


def strange() -> Any:
    spec = importlib.util.spec_from_file_location("strange", STRANGE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def server(url: str) -> Iterator[str]:
    if url:
        yield url
        return
    command = [sys.executable, "-m", "linnet", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(60)  # what runs has 30 s to end


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which none is sent any more")
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    told: Counter[str] = Counter()
    faults, started, slowest = [], time.monotonic(), 0.0
    with server(given.url) as url, httpx.Client(base_url=url, timeout=60) as client:
        for path, body in strange().bodies(given.seed, given.bodies):
            begun = time.monotonic()
            if begun - started > given.seconds:
                break
            answer = client.post(path, content=body)
            slowest = max(slowest, time.monotonic() - begun)
            code = answer.json()["error"]["code"] if answer.status_code >= 400 else "-"
            told[f"{answer.status_code} {code}"] += 1
            if answer.status_code >= 500:
                faults.append((path, body[:300], answer.text[:300]))
        alive = client.get("/health").status_code
    for name, count in sorted(told.items()):
        print(f"{count:6} {name}")
    for fault in faults[:20]:
        print("FAULT", *fault)
    seconds, made = time.monotonic() - started, sum(told.values())
    print(f"MADE {made}")
    print(f"{made} bodies in {seconds:.0f} s, slowest {slowest:.2f} s, {len(faults)} faults, health {alive}")
    return 1 if faults or alive != 200 else 0


if __name__ == "__main__":
    sys.exit(main())
