"""The torture cases as commands.

    python tests/torture/run.py --list
    python tests/torture/run.py kill --engine scripted --seed 3 --tries 200
    python tests/torture/run.py --all --scale 0.2 --table docs/reliability.md

Each case is a command with a seed. Without `--tries` it makes as many attempts as its table says, times `--scale`,
and begins none after `--seconds`. With `--all` each runs in a process of its own (`apart.py`) and is ended, and
counted as failed, a while after that. Exit status 1 says that something did not hold; what it was is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import apart
import harness
from harness import CASES, Case, Verdict

for _path in sorted(Path(__file__).parent.glob("*_cases.py")):
    importlib.import_module(_path.stem)

BEGIN, END = "<!-- table: make torture -->", "<!-- end of table -->"

SECONDS = 200.0
"""After which a case begins no further attempt, unless told otherwise."""

PATIENCE = 600.0
"""After that, until it is ended: for the attempt that is under way, and for cases that are one command."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("cases", nargs="*", metavar="CASE")
    options.add_argument("--list", action="store_true", help="what there is")
    options.add_argument("--all", action="store_true", help="all but those of --but")
    options.add_argument("--but", nargs="*", default=[], metavar="CASE")
    options.add_argument("--engine", choices=("scripted", "real", "plain"), help="one of its engines; else each")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--tries", type=int, help="attempts; else those of the case")
    options.add_argument("--scale", type=float, default=1.0, help="factor of those of the case")
    options.add_argument("--seconds", type=float, help="after which a case begins no further attempt")
    options.add_argument("--table", type=Path, help="a page whose table is replaced by what came out")
    options.add_argument("--verdict", type=Path, help="a file for what came out, as JSON")
    given = options.parse_args()
    if given.list:
        for case in CASES.values():
            print(f"{case.part:12} {case.name:18} {case.full}  {(case.run.__doc__ or '').splitlines()[0:1]}")
        return 0
    names = [name for name in CASES if name not in given.but] if given.all else given.cases
    if unknown := [name for name in (*names, *given.but) if name not in CASES]:
        options.error(f"there is no case {unknown[0]!r}; --list shows them")
    if given.all:
        print(f"Each case runs for {given.seconds or SECONDS:g} s at most, and is ended after {PATIENCE:g} s more;")
        print(f"what bounds its processes is {apart.confined()}.")
    verdicts = []
    print(row("case", "engine", "tries", "passed", "95th", "worst", "of what"), flush=True)
    for name in names:
        case = CASES[name]
        for engine in case.engines if given.engine is None else set(case.engines) & {given.engine}:
            tries = given.tries or max(1, round(case.full[engine] * given.scale))
            seconds = given.seconds or (SECONDS if given.all else float("inf"))
            run = tried_apart if given.all else harness.torture
            verdicts.append(run(case, engine, given.seed, tries, seconds))
            print(told(verdicts[-1]), flush=True)
            for fault in verdicts[-1].faults[:10]:
                print(f"    {fault}", flush=True)
            if given.table:
                write(given.table, verdicts)
    if given.verdict:
        given.verdict.write_text(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts]))
    return 1 if any(verdict.faults for verdict in verdicts) else 0


def tried_apart(case: Case, engine: str, seed: int, tries: int, seconds: float) -> Verdict:
    """As `harness.torture`, in a process of its own, which is ended where it does not end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verdict"
        command = [
            sys.executable,
            __file__,
            case.name,
            "--engine",
            engine,
            "--seed",
            str(seed),
            "--tries",
            str(tries),
        ]
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            ended = apart.run(
                [*command, "--seconds", str(seconds), "--verdict", str(path)], seconds + PATIENCE, nowhere
            )
        if path.exists():
            (found,) = json.loads(path.read_text())
            return Verdict(**{**found, "faults": tuple(found["faults"])})
    why = f"it was ended after {seconds + PATIENCE:g} s" if ended is None else f"it ended with {ended}"
    return Verdict(case.name, case.part, engine, seed, tries, (why,) * tries, 0.0, 0.0, seconds, case.worst)


def row(*cells: object) -> str:
    widths = (18, 9, 7, 7, 9, 9, 0)
    return " ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def told(verdict: Verdict) -> str:
    times = (f"{verdict.p95:.2f} s", f"{verdict.worst:.2f} s")
    return row(verdict.case, verdict.engine, verdict.tries, verdict.passed, *times, verdict.timed)


def write(page: Path, verdicts: list[Verdict]) -> None:
    """Put these rows into the table of a page, in the place of those of the same case and engine."""
    text = page.read_text(encoding="utf-8")
    start, end = text.index(BEGIN), text.index(END)
    rows = dict(_keyed(line) for line in text[start:end].splitlines() if line.startswith("| ") and "---" not in line)
    rows.pop(_keyed(HEAD)[0], None)
    rows |= dict(_keyed(_row(verdict)) for verdict in verdicts)
    order = [(name, engine) for name, case in CASES.items() for engine in case.engines]
    kept = [rows[key] for key in sorted(rows, key=lambda key: order.index(key) if key in order else -1)]
    lines = [BEGIN, HEAD, "|---" * HEAD.count(" | ") + "|---|", *kept, ""]
    page.write_text(text[:start] + "\n".join(lines) + text[end:], encoding="utf-8")


HEAD = "| part | case | engine | tries | in full | passed | 95th of 100 | worst | time of what | seed, day, machine |"


def _keyed(line: str) -> tuple[tuple[str, str], str]:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return (cells[1], cells[2]), line


def _row(one: Verdict) -> str:
    full = CASES[one.case].full[one.engine]
    told = "all" if full <= 1 else f"{full:,}"
    cells = [one.part, one.case, one.engine, f"{one.tries:,}", told, f"{one.passed:,}"]
    cells += [f"{one.p95:.2f} s", f"{one.worst:.2f} s", one.timed]
    cells.append(f"{one.seed}, {datetime.date.today().isoformat()}, {os.cpu_count()} cores {platform.machine()}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # what a case started ends with it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell has begun it in the background
    sys.exit(main())
