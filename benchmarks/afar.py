"""Calls over a server against the embedded engine: how many are right, on categories of BFCL or their beginnings.

    python benchmarks/afar.py ../shared/data/bfcl_dev --category live_multiple --limit 40 [--out rows.jsonl]

The same file behind all: `embedded` is guided with likelihoods of the engine here; `likelihoods` with those that a
llama-server (package xllamacpp) tells; `picks` has that server pick under a JSON Schema where evidence leaves doubt;
`json` has it write the calls as a JSON list. Evidence is the same for the first three, so what they differ in is
where the model is asked. Each is held against `embedded`, on the cases that both were asked, by McNemar's exact test.
What is in `--out` is not asked again, and counts in the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from linnet.calling.native import Native
from linnet.calling.profile import JSON, Way
from linnet.calling.way import guide_for
from linnet.evals import bfcl
from linnet.evals.harness import Arm, Case, Made, evaluate, guided
from linnet.evals.statistics import mcnemar, wilson
from linnet.models import store
from linnet.requests import Model
from linnet.runtime.local import open_local
from linnet.runtime.remote import RemoteModel
from linnet.tools import Tool


class Unasked(RemoteModel):
    """One of which nobody finds out whether it tells likelihoods."""

    def learn(self) -> str:
        return ""


def as_an_agent(model: Model, tools: Sequence[Tool], request: str) -> Made:
    done = guide_for(model, tools, None).call(request)
    return Made(done.calls, done.usage)


def as_json(model: Model, tools: Sequence[Tool], request: str) -> Made:
    done = Native(model, tools, Way("native", JSON)).call(request)
    return Made(done.calls, done.usage)


ARMS: dict[str, Arm] = {"embedded": guided, "likelihoods": as_an_agent, "picks": as_an_agent, "json": as_json}


Row = dict[str, Any]


def told(name: str, rows: Mapping[str, Row], first: Mapping[str, Row]) -> str:
    right, judged = sum(row["right"] for row in rows.values()), len(rows)
    low, high = wilson(right, judged)
    share = f"{100 * right / judged:.1f} % ({100 * low:.1f}-{100 * high:.1f})"
    pairs = [(first[id]["right"], row["right"]) for id, row in rows.items() if id in first]
    lost, won = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    p = mcnemar([a for a, _ in pairs], [b for _, b in pairs]) if pairs else 1.0
    against = f"{lost}, {won} of {len(pairs)}: {p:.3f}" if pairs and rows is not first else ""
    failed = sum(row["how"] == "error" for row in rows.values())
    each = [row["seconds"] for row in rows.values()]
    return f"| {name} | {right} of {judged} | {share} | {against} | {failed} | {mean(each):.2f}, {median(each):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--arm", action="append", choices=list(ARMS))
    parser.add_argument("--seconds", type=float, default=3_600.0, help="after which an arm begins no further case")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cases = bfcl.load(given.folder, given.category, given.limit)
    path = store.locate("default").path
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(path)]
    server = subprocess.Popen(
        [*command, "--threads", str(given.threads), "--slots", "1", "--context", "4096"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    local = open_local("default", threads=given.threads)
    try:
        url = f"{server.stdout.readline().strip()}/v1"
        asked, unasked = RemoteModel(url, "m", context=4_096), Unasked(url, "m", context=4_096)
        models = {"embedded": local, "likelihoods": asked, "picks": unasked, "json": unasked}
        rows = _stored(given.out)
        for name in given.arm or ARMS:
            asked_already = rows.setdefault(name, {})
            left = tuple(case for case in cases if case.id not in asked_already)
            asked_already.update(_run(models[name], name, left, given.seconds, given.out))
    finally:
        local.close()
        server.communicate(timeout=60)
    print("| arm | right | share (95 %) | lost, won against embedded: p | errors | seconds a case: mean, median |")
    print("|---|---|---|---|---|---|")
    for name in ARMS:
        if rows.get(name):
            print(told(name, rows[name], rows.get("embedded", {})))


def _stored(out: Path | None) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for line in out.read_text().splitlines() if out and out.exists() else ():
        row = json.loads(line)
        found.setdefault(row["arm"], {})[row["id"]] = row
    return found


def _run(model: Model, name: str, cases: Sequence[Case], seconds: float, out: Path | None) -> dict[str, Row]:
    begun, rows = time.monotonic(), dict[str, Row]()
    for outcome in evaluate(model, cases, ARMS[name]):
        rows[outcome.case.id] = row = {"arm": name, "right": outcome.right, **outcome.describe()}
        if out:
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        if time.monotonic() - begun > seconds:
            break
    return rows


if __name__ == "__main__":
    main()
