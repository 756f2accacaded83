"""Random requests to the worker's engine on a small made-up model, every KV cell counted along.

    python tests/torture/engine_cells.py --seeds 0 40 --architecture llama --adapters 2 --room 8 16

Each seed is one engine and some thirty requests: answers and scorings that share beginnings, free and constrained,
some cancelled, some that go on from the records of an earlier one. What is checked after each step and at the end
is told in tests/worker/engine_shadow.py. Printed are the kinds of fault with their first seed, and totals;
`differing` are answers that the engine does not give to the same request alone and without guesses, which rounding
explains where they are few.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from linnet.errors import LinnetError

sys.path.append(str(Path(__file__).parents[1] / "models"))
sys.path.append(str(Path(__file__).parents[1] / "worker"))

from engine_shadow import Totals, load, run
from gguf_writer import SMALL_ARCHITECTURES


def kind(error: Exception) -> str:
    """A fault without its numbers, so that those of one cause are one."""
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[:-5:-1])
    return f"{type(error).__name__}: {re.sub(r'[0-9]+', '#', str(error))[:120]} @ {where}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs=2, default=(0, 40), metavar=("FIRST", "END"))
    options.add_argument("--architecture", choices=SMALL_ARCHITECTURES, default="llama")
    options.add_argument("--adapters", type=int, default=0)
    options.add_argument("--room", type=int, nargs="+", default=[16], help="tokens let in ahead of an answer")
    options.add_argument(
        "--alone", action="store_true", help="compute each answer again alone, and count differences"
    )
    options.add_argument("--seconds", type=float, default=float("inf"), help="after which no seed is begun any more")
    given = options.parse_args()
    started, made = time.monotonic(), 0
    llama = load(given.architecture, given.adapters)
    faults: dict[str, list[str]] = defaultdict(list)
    totals = Totals()
    for room in given.room:
        for seed in range(*given.seeds):
            if made and time.monotonic() - started > given.seconds:
                break
            made += 1
            try:
                totals += run(seed, llama, room=room, compare=given.alone)
            except (AssertionError, LinnetError, LookupError, ValueError) as error:
                faults[kind(error)].append(f"seed {seed} room {room}")
    for fault, seeds in faults.items():
        print(f"FAULT {len(seeds)} times, first {seeds[0]}: {fault}")
    print(f"MADE {made}")
    counts = ", ".join(f"{count:,} {name}" for name, count in asdict(totals).items())
    named = f"{given.architecture} with {given.adapters} adapters"
    print(f"{named}: {counts}; {sum(map(len, faults.values()))} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
