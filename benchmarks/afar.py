"""Calls over a server against the embedded engine: how many are right, on categories of BFCL or their beginnings.

    python benchmarks/afar.py ../shared/data/bfcl_dev --category live_multiple --limit 40 [--out rows.jsonl]

The same file behind both: `embedded` is guided with likelihoods; `picks` is a llama-server (package xllamacpp) that
is asked to pick under a JSON Schema where evidence leaves doubt; `json` is the same server asked for the calls as a
JSON list. Evidence is the same for the first two, so what they differ in is where the model is asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from linnet.calling.native import Native
from linnet.calling.profile import JSON, Way
from linnet.evals import bfcl
from linnet.evals.harness import Case, Made, Outcome, evaluate, guided
from linnet.evals.statistics import wilson
from linnet.models import store
from linnet.requests import Model
from linnet.runtime.local import open_local
from linnet.runtime.remote import RemoteModel
from linnet.tools import Tool


def told(name: str, outcomes: list[Outcome], seconds: float) -> str:
    right, judged = sum(one.right for one in outcomes), len(outcomes)
    low, high = wilson(right, judged)
    share = f"{100 * right / judged:.1f} % ({100 * low:.1f}-{100 * high:.1f})"
    return f"| {name} | {right} of {judged} | {share} | {seconds:.0f} s |"


def as_json(model: Model, tools: Sequence[Tool], request: str) -> Made:
    done = Native(model, tools, Way("native", JSON)).call(request)
    return Made(done.calls, done.usage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--arm", action="append", choices=["embedded", "picks", "json"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cases = bfcl.load(given.folder, given.category, given.limit)
    path = store.locate("default").path
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(path)]
    server = subprocess.Popen(
        [*command, "--threads", "2", "--slots", "1", "--context", "4096"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    local = open_local("default")
    try:
        remote = RemoteModel(f"{server.stdout.readline().strip()}/v1", "m", context=4_096)
        _run({"embedded": local, "picks": remote, "json": remote}, cases, given.arm, given.out)
    finally:
        local.close()
        server.communicate(timeout=60)


def _run(models: dict[str, Model], cases: tuple[Case, ...], arms: list[str] | None, out: Path | None) -> None:
    print("| arm | right | share (95 %) | took |\n|---|---|---|---|", flush=True)
    for name, model in models.items():
        if arms and name not in arms:
            continue
        begun, outcomes = time.monotonic(), list[Outcome]()
        for outcome in evaluate(model, cases, as_json if name == "json" else guided):
            outcomes.append(outcome)
            if out:
                with out.open("a") as file:
                    file.write(json.dumps({"arm": name, **outcome.describe()}) + "\n")
        print(told(name, outcomes, time.monotonic() - begun), flush=True)


if __name__ == "__main__":
    main()
