"""How much sooner an editor's second keystroke is answered than its first: what is before the cursor is computed.

    python benchmarks/keystroke.py [--lines 60] [--rounds 8] [--keys 3] [--threads 2]

A `linnet serve` of its own over the default model, and `/infill` as llama.vim asks it: the lines before the cursor,
those behind it, and the line that is being typed. Each round is a text that was never sent before; its first request
computes all of it, and each of the next has one more character typed. An answer is eight tokens, greedy. Times are a
client's, in seconds.

The ratio is that of the medians; its spread is the smallest and largest of the rounds' own ratios. The promise is 3.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from typing import Any

import httpx

PROMISED = 3.0
LINE = "def step_{n}(total, count):\n    return total * {a} + count - {b}\n"
TYPED = "    result = step_"


def text(lines: int, rng: random.Random) -> str:
    return "".join(LINE.format(n=n, a=rng.randrange(1_000), b=rng.randrange(1_000)) for n in range(lines // 2))


def asked(client: httpx.Client, prefix: str, suffix: str, typed: str) -> tuple[float, dict[str, Any]]:
    body = {"input_prefix": prefix, "input_suffix": suffix, "prompt": typed, "n_predict": 8}
    started = time.perf_counter()
    told = client.post("/infill", json=body).raise_for_status().json()
    return time.perf_counter() - started, told


def one_round(client: httpx.Client, lines: int, keys: int, rng: random.Random) -> dict[str, Any]:
    prefix, suffix = text(lines, rng), text(lines // 4, rng)
    first, told = asked(client, prefix, suffix, TYPED)
    later = [asked(client, prefix, suffix, TYPED + "1234567890"[: n + 1]) for n in range(keys)]
    seconds = statistics.median(one for one, _ in later)
    return {
        "tokens": told["tokens_evaluated"],
        "first": first,
        "next": seconds,
        "computed_next": statistics.median(one["timings"]["prompt_n"] for _, one in later),
        "ratio": first / seconds,
    }


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "linnet", "serve", "--port", "0", "--json", "--threads", str(arguments.threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=json.loads(process.stdout.readline())["url"], timeout=120) as client:
                rng = random.Random(arguments.seed)
                one_round(client, 4, 1, rng)  # the model is loaded
                return [one_round(client, arguments.lines, arguments.keys, rng) for _ in range(arguments.rounds)]
        finally:
            process.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--keys", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    rounds = measure(parser.parse_args())
    first, later = (statistics.median(one[name] for one in rounds) for name in ("first", "next"))
    spread = [one["ratio"] for one in rounds]
    print(f"{rounds[0]['tokens']} tokens; of them computed for the next key: {rounds[0]['computed_next']:g}")
    ratio = f"{first / later:.1f} times sooner ({min(spread):.1f}-{max(spread):.1f})"
    print(f"first {first:.3f} s, next {later:.3f} s: {ratio}")
    return 0 if first / later >= PROMISED else 1


if __name__ == "__main__":
    raise SystemExit(main())
