"""What asking a server costs: RemoteModel beside LocalModel on one model file, and RemoteModel by itself.

    python benchmarks/remote.py [--rounds 5] [--threads N]

The server is the llama-server of the package xllamacpp (`llama_server.py`), on loopback, with the same file; both
sides answer the same request in turns, greedily, in 16 tokens. `by itself` is a server that says 16 words at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from linnet.hardware import governor, probe
from linnet.messages import Message
from linnet.models import store
from linnet.requests import Generate, Model, Piece
from linnet.runtime.local import open_local
from linnet.runtime.remote import RemoteModel

ASK = Generate(
    (
        Message("system", "You are a helpful assistant.", trusted=True),
        Message("user", "What is the capital of France?"),
    ),
    max_tokens=16,
)


def timed(model: Model) -> tuple[float, float]:
    """Milliseconds to the first piece, and to the end."""
    begun, first = time.perf_counter(), 0.0
    for event in model.stream(ASK):
        if isinstance(event, Piece) and event.text and not first:
            first = time.perf_counter() - begun
    return first * 1e3, (time.perf_counter() - begun) * 1e3


def alone() -> list[tuple[float, float]]:
    path = Path(__file__).parents[1] / "tests" / "runtime" / "chat_server.py"
    spec = importlib.util.spec_from_file_location("chat_server", path)
    assert spec and spec.loader
    sys.modules["chat_server"] = server = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(server)
    with server.chatting(" ".join(["word"] * 16)) as running:
        model = RemoteModel(running.url, "m")
        timed(model)
        return [timed(model) for _ in range(100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    threads = chosen.threads or governor.threads(probe.probe(), probe.contention()).decode
    file = store.locate("default").path
    script = Path(__file__).with_name("llama_server.py")
    command = [sys.executable, str(script), str(file), "--threads", str(threads), "--slots", "1", "--context", "1024"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    local = open_local("default", context=1_024, threads=threads, encoding="original")
    rows: dict[str, list[tuple[float, float]]] = {"local": [], "remote": [], "remote by itself": alone()}
    try:
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdout is not None
            remote = RemoteModel(f"{process.stdout.readline().strip()}/v1", "m")
            for model in (local, remote):
                timed(model)
            for _ in range(chosen.rounds):
                rows["local"].append(timed(local))
                rows["remote"].append(timed(remote))
            process.kill()
    finally:
        local.close()
    for name, pairs in rows.items():
        first, whole = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(
            f"{name}: first piece {first:.1f} ms, whole {whole:.1f} ms (medians of {len(pairs)}, {threads} threads)"
        )


if __name__ == "__main__":
    main()
