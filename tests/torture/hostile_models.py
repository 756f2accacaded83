"""Mutants of the default model's header, and files made by hand: none costs more than a look.

    python tests/torture/hostile_models.py --mutants 2000 --loads 40 --seed 1

Each file is checked in this process. Counted: crashes, checks over 5 s of processor time, memory over the limit,
and workers that were started. Some of the mutants that pass are then given to a real worker with the real weights:
it must answer, or fail with a typed error that is no death of the worker.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from linnet.errors import LinnetError
from linnet.limits import LIMITS, MIB
from linnet.messages import Message
from linnet.models import store
from linnet.models.gguf import open_model, read_header
from linnet.models.integrity import examine
from linnet.requests import Generate, Pattern, complete
from linnet.runtime.local import open_local

sys.path.append(str(Path(__file__).parents[1] / "models"))

import hostile

SLOW_SECONDS = 5.0
DEATHS = {"worker_crashed", "worker_hung", "worker_start_failed", "protocol_broken"}


def check(path: Path) -> str:
    """`passed`, `refused`, or what is wrong with the checking."""
    started = time.process_time()
    try:
        with open_model(path) as file:
            report = examine(file)
    except Exception as error:
        return f"crashed: {type(error).__name__}: {error}"
    if time.process_time() - started > SLOW_SECONDS:
        return f"slow: {time.process_time() - started:.1f} s"
    return "passed" if report.sound else "refused"


def load(path: Path) -> str:
    """`answered`, the code of a typed error, or how the worker died."""
    try:
        model = open_local(str(path), context=256)
    except LinnetError as error:
        return error.code
    try:
        for constraint in (None, Pattern("[a-e]{2}")):
            complete(model, Generate((Message("user", "Say a word: é."),), constraint=constraint, max_tokens=4))
        return "answered"
    except LinnetError as error:
        return f"DEATH {error.code}: {error.message}" if error.code in DEATHS else error.code
    finally:
        model.close()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mutants", type=int, default=2_000)
    options.add_argument("--loads", type=int, default=40)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    source = store.locate("default").path
    with open_model(source) as file:
        header = read_header(file.fileno())
    with source.open("rb") as raw:
        start = raw.read(header.data_offset)
    checked: Counter[str] = Counter()
    whole: list[int] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mutant.gguf")
        for name, body in hostile.corpus().items():
            path.write_bytes(body)
            outcome = check(path)
            checked[outcome.split(":")[0]] += 1
            if outcome != "refused":
                print(f"{name}: {outcome}")
        by_hand = sum(checked.values())
        made = (start, header.file_size, given.mutants, given.seed)
        for i, (name, body, size) in enumerate(hostile.mutants(*made)):
            outcome = check(hostile.sparse(path, body, size))
            checked[outcome.split(":")[0]] += 1
            if outcome not in ("passed", "refused"):
                print(f"{name}: {outcome}")
            if outcome == "passed" and len(body) == len(start) and size == header.file_size and body != start:
                whole.append(i)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        chosen = set(random.Random(given.seed).sample(whole, min(given.loads, len(whole))))
        picked = (m[:2] for i, m in enumerate(hostile.mutants(*made)) if i in chosen)
        loaded = _load_all(picked, source, Path(folder, "whole.gguf"))
    deaths = sum(count for outcome, count in loaded.items() if outcome.startswith("DEATH"))
    wrong = sum(count for outcome, count in checked.items() if outcome not in ("passed", "refused"))
    print(f"{by_hand} files by hand and {given.mutants} mutants: {dict(checked)}; memory grew by {grown:.0f} MiB")
    print(f"processes started by checking: {'some' if workers else 'none'}")
    print(f"{sum(loaded.values())} of those that passed loaded: {dict(loaded)}")
    return 1 if wrong or deaths or workers or grown > LIMITS.gguf_memory / MIB else 0


def _load_all(mutants: Iterable[tuple[str, bytes]], source: Path, path: Path) -> Counter[str]:
    """What came of each header in front of the real weights."""
    loaded: Counter[str] = Counter()
    shutil.copyfile(source, path)
    for name, header in mutants:
        with path.open("r+b") as file:
            file.write(header)
        outcome = load(path)
        loaded[outcome.split(":")[0]] += 1
        if outcome.startswith("DEATH"):
            print(f"{name}: {outcome}")
    return loaded


if __name__ == "__main__":
    sys.exit(main())
