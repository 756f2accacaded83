"""How much memory a worker takes, beside what `linnet.hardware.footprint` predicts from the header.

    python benchmarks/memory.py [MODEL ...] [--contexts 512 2048 8192] [--caches f16 q8_0]

MODEL is what `linnet run --model` takes. Two ways of measuring: `worker` is a real worker (`runtime/local.py`)
after a constrained answer to a prompt that fills its context, resident memory by /proc; it works in steps as
long as this machine is fast. `engine` is the worker's engine alone in a process, driven in steps of 256 tokens:
after the prompt (`full`), and after a step of which as many logits were wanted as a step may want (`scoring`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

from linnet.hardware import probe
from linnet.hardware.footprint import STEP, Footprint, Shape, footprint
from linnet.limits import MIB
from linnet.models import gguf, store
from linnet.models.shape import shape_of
from linnet.protocol import CacheType
from linnet.requests import Choice, Count, Generate, Segment, complete


def predicted(path: Path, context: int, cache: str = "f16") -> Footprint:
    return footprint(_shape(path), context, cache)


def _shape(path: Path) -> Shape:
    with gguf.open_model(path) as file:
        return shape_of(gguf.read_header(file.fileno()), probe.probe().features or ())


def resident(pid: int | str = "self") -> int:
    """Bytes of resident memory, mapped files included."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def of_worker(name: str, context: int) -> int:
    """A real worker's resident memory in bytes, its context filled to the last few tokens."""
    from linnet.runtime.local import open_local

    model = open_local(name, context=context)
    try:
        line = "The quick brown fox jumps over the lazy dog, and nobody minds. "
        each = complete(model, Count((Segment(line * 8, False),))).usage.prompt_tokens / 8
        prompt = (Segment(line * int((context - 64) / each), False),)
        complete(model, Generate(prompt, constraint=Choice(("yes", "no")), max_tokens=8))
        pid = model.supervisor.pid
        assert pid is not None
        return resident(pid)
    finally:
        model.close()


def of_engine(path: Path, context: int, cache: str = "f16") -> dict[str, int]:
    """Bytes of resident memory of an engine by itself, `full` and after `scoring`."""
    command = [sys.executable, __file__, "--engine", str(path), "--contexts", str(context), "--caches", cache]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _engine(path: Path, context: int, cache: Any) -> dict[str, int]:
    """What `of_engine` measures, in this process: as the worker does it, but for the size of a step."""
    from linnet.protocol import Load
    from linnet.worker import llama
    from linnet.worker import main as worker
    from linnet.worker.batch import ROWS

    llama.warm_imports()
    assert worker, "its imports are part of a worker's memory"

    mapped = _shape(path).mapped
    load = Load(model_fd=os.open(path, os.O_RDONLY), context=context, cache=cache, mapped=mapped)
    model = llama.Llama(load, lambda fraction: None)
    vocabulary = model.vocabulary.size
    assert model.matcher_tokenizer
    tokens = [(17 * i) % vocabulary for i in range(context)]
    for start in range(0, context, STEP):
        part = tokens[start : start + STEP]
        model.decode([llama.Entry(t, start + i, 0, i + 1 == len(part)) for i, t in enumerate(part)])
    full = resident()
    model.cut(0)
    model.decode([llama.Entry(t, i, 0, i < ROWS) for i, t in enumerate(tokens[:STEP])])
    return {"full": full, "scoring": resident()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("models", nargs="*", default=["default"])
    options.add_argument("--contexts", type=int, nargs="+", default=[512, 2_048, 8_192])
    options.add_argument("--caches", nargs="+", default=["f16"], choices=get_args(CacheType))
    options.add_argument("--engine", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.engine:
        print(json.dumps(_engine(chosen.engine, chosen.contexts[0], chosen.caches[0])))
        return
    print(f"{'model':24} {'context':>7} {'cache':>6} {'what':8} {'predicted':>10} {'measured':>9} {'off':>7}")
    for name in chosen.models:
        located = store.locate(name)
        for context in chosen.contexts:
            for cache in chosen.caches:
                parts = predicted(located.path, context, cache)
                rows = [(what, seen) for what, seen in of_engine(located.path, context, cache).items()]
                if cache == "f16":
                    rows.insert(0, ("worker", of_worker(name, context)))
                for what, seen in rows:
                    guess = parts.peak if what == "scoring" else parts.resident
                    print(
                        f"{located.name[-24:]:24} {context:7} {cache:>6} {what:8} {guess / MIB:6.1f} MiB "
                        f"{seen / MIB:5.1f} MiB {guess / seen - 1:+7.1%}"
                    )


if __name__ == "__main__":
    main()
