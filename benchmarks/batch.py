"""How much faster many requests are answered together than one after the other.

    python benchmarks/batch.py [--count 48] [--at-once 8] [--rounds 3] [--threads 2] [--model NAME|FILE]

The requests are a fixed draw from examples/cases that no rule answers, for the example tools: some call a tool, the
others are answered in the model's own words. `loop` is `agent.run` for each, `many` is `agent.run_many`, in turns
in one process, after a first pass that is left out. Beside the wall's seconds stand the processor seconds of worker
and caller: how much less is computed for the same answers, also where others are at work on the machine. `--generate`
measures `generate_batch` in place of the agent: answers to the same requests under one long system message.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet import Agent, Result
from linnet.agent.router import Router
from linnet.interfaces.cli.tool_files import load_tools
from linnet.messages import Message
from linnet.requests import Generate, complete
from linnet.runtime.batch import generate_batch
from linnet.runtime.local import LocalModel

EXAMPLES = Path(__file__).parents[1] / "examples"
CASES = ("assistant", "everyday", "restraint")
SYSTEM = "You answer questions of customers of a bicycle shop. " + "Be brief, friendly and exact. " * 30


@dataclass(frozen=True)
class Measured:
    """One pass over all requests: seconds on the wall, and of the processor in worker and caller."""

    wall: float
    worker: float
    caller: float
    tokens: int


def requests(agent: Agent, count: int) -> list[str]:
    """The same ones in every run."""
    lines = [line for name in CASES for line in (EXAMPLES / "cases" / f"{name}.jsonl").read_text().splitlines()]
    texts = [json.loads(line)["question"][0][0]["content"] for line in lines]
    random.Random(1).shuffle(texts)
    router = Router(agent.tools)
    return [text for text in texts if router.decide(text) is None][:count]


def measured(model: LocalModel, work: Callable[[], int]) -> Measured:
    pid = model.supervisor.pid
    assert pid is not None, "a first round has started it"
    before, caller, started = used(pid), time.process_time(), time.monotonic()
    tokens = work()
    return Measured(time.monotonic() - started, used(pid) - before, time.process_time() - caller, tokens)


def used(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def turns(agent: Agent, texts: list[str], at_once: int) -> tuple[Callable[[], int], Callable[[], int]]:
    def total(results: list[Result]) -> int:
        assert all(result.how in ("rule", "model", "abstained") for result in results)
        return sum(result.usage.generated_tokens for result in results)

    return (
        lambda: total([agent.run(text) for text in texts]),
        lambda: total(list(agent.run_many(texts, at_once=at_once))),
    )


def generations(model: LocalModel, texts: list[str], at_once: int, tokens: int) -> tuple[Callable[[], int], Any]:
    asked = [
        Generate((Message("system", SYSTEM, trusted=True), Message("user", text)), max_tokens=tokens)
        for text in texts
    ]
    return (
        lambda: sum(complete(model, request).usage.generated_tokens for request in asked),
        lambda: sum(done.usage.generated_tokens for done in generate_batch(model, asked, at_once=at_once)),
    )


def told(name: str, loop: list[Measured], many: list[Measured]) -> str:
    def spread(values: list[float]) -> str:
        return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"

    pairs = list(zip(loop, many, strict=True))
    rows = [
        f"{name}: loop {spread([m.wall for m in loop])} s, many {spread([m.wall for m in many])} s",
        f"  wall ratio      {spread([a.wall / b.wall for a, b in pairs])}",
        f"  processor ratio {spread([(a.worker + a.caller) / (b.worker + b.caller) for a, b in pairs])}",
        f"  worker {spread([m.worker for m in loop])} -> {spread([m.worker for m in many])} processor s,"
        f" caller {spread([m.caller for m in loop])} -> {spread([m.caller for m in many])}",
        f"  tokens generated {loop[0].tokens} and {many[0].tokens}",
    ]
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=48)
    options.add_argument("--at-once", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int)
    options.add_argument("--answer-tokens", type=int, default=48)
    options.add_argument("--model", default="default")
    options.add_argument("--context", type=int)
    options.add_argument("--generate", action="store_true")
    chosen = options.parse_args()
    tools = load_tools([EXAMPLES / "tools.py"])
    agent = Agent(
        tools,
        chosen.model,
        root=EXAMPLES / "files",
        answer_tokens=chosen.answer_tokens,
        threads=chosen.threads,
        context=chosen.context,
        encoding="original",
    )
    with agent:
        assert isinstance(agent.model, LocalModel)
        texts = requests(agent, chosen.count)
        if chosen.generate:
            loop, many = generations(agent.model, texts, chosen.at_once, chosen.answer_tokens)
        else:
            loop, many = turns(agent, texts, chosen.at_once)
        agent.run(texts[0])
        measured(agent.model, many)
        rounds = [(measured(agent.model, loop), measured(agent.model, many)) for _ in range(chosen.rounds)]
    name = "generate_batch" if chosen.generate else "run_many"
    print(told(f"{name}, {len(texts)} requests, {chosen.at_once} at once", *map(list, zip(*rounds, strict=True))))


if __name__ == "__main__":
    main()
