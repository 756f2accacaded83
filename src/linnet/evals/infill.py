"""Gaps in code: whether what is put there is what stood there, and whether the program works with it.

How many: the cases of human-eval-infilling (MIT), single lines and random spans of programs whose tests are known.
One of them: of `def has_close_elements(...)` the line `distance = abs(elem - elem2)` is taken out. Right, strictly:
the same text, spaces at its ends aside. Right, as it matters: the program passes its tests, which are run in the
locked-down child that runs a model's Python (`linnet.runtime.trial`). Chance: an empty gap, judged alike.

Ways: `infill` asks as `/infill` does, with the model's own tokens for gaps where it has them, and else by continuing
what is before the gap; `behind` shows what is behind the gap before that, as plain text; `nothing` leaves it empty.
"""

from __future__ import annotations

import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, LinnetError, SettingsInvalid
from linnet.evals.statistics import mcnemar, wilson
from linnet.requests import Generate, Model, Prompt, Segment, Usage, complete
from linnet.runtime import trial

FILES = {"line": "HumanEval-SingleLineInfilling.jsonl.gz", "span": "HumanEval-RandomSpanInfillingLight.jsonl.gz"}
_TOKENS = 96
_SHOWN_LINES = 8


@dataclass(frozen=True)
class Case:
    """A program with a gap: what stood there, and what tests it. `kind` is `line` or `span`."""

    id: str
    kind: str
    prefix: str
    suffix: str
    gap: str
    test: str
    entry: str


def read(folder: Path, limit: int | None = None) -> list[Case]:
    """The cases of a folder, or `limit` of them spread over its files. Raises InputInvalid."""
    cases = [case for kind, name in FILES.items() if (folder / name).exists() for case in _read(folder / name, kind)]
    if not cases:
        raise InputInvalid(f"{str(folder)!r} holds no {' and no '.join(FILES.values())}", path=str(folder))
    return cases if limit is None or limit >= len(cases) else [cases[i * len(cases) // limit] for i in range(limit)]


def _read(file: Path, kind: str) -> Iterator[Case]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                told = json.loads(line)
                texts = (told[key] for key in ("prompt", "suffix", "canonical_solution", "test", "entry_point"))
                yield Case(told["task_id"], kind, *texts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputInvalid(f"{str(file)!r} is no file of cases: {error}", path=str(file)) from error


# --- ways ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filled:
    """What a way puts into a gap, and what it cost."""

    text: str
    how: str
    usage: Usage = Usage()


Way = Callable[[Model, Case], Filled]


def infill(model: Model, case: Case) -> Filled:
    tokens = model.capabilities.infill
    if tokens is None:
        return _said(model, case, (Segment(case.prefix, False),), "fallback:continuation")
    return _said(model, case, tokens.around(case.prefix, case.suffix), "model")


def behind(model: Model, case: Case) -> Filled:
    shown = "\n".join(case.suffix.strip("\n").split("\n")[:_SHOWN_LINES])
    text = f"# further down:\n{shown}\n\n# from the beginning:\n{case.prefix}"
    return _said(model, case, (Segment(text, False),), "fallback:behind")


def nothing(model: Model, case: Case) -> Filled:
    return Filled("", "nothing")


WAYS: dict[str, Way] = {"infill": infill, "behind": behind, "nothing": nothing}


def chosen(names: Sequence[str]) -> dict[str, Way]:
    """Those ways, or all. Raises SettingsInvalid."""
    unknown = next((name for name in names if name not in WAYS), None)
    if unknown is not None:
        raise SettingsInvalid(f"there is no way {unknown!r}", hint=f"There are: {', '.join(WAYS)}.", place="--way")
    return {name: WAYS[name] for name in names} if names else WAYS


def _said(model: Model, case: Case, prompt: Prompt, how: str) -> Filled:
    done = complete(model, Generate(prompt, stop=_stops(case), max_tokens=_TOKENS))
    text = done.text
    if case.kind == "line":
        text = _first_line(text)
    return Filled(text, how, done.usage)


def _stops(case: Case) -> tuple[str, ...]:
    """Where an answer has gone past its gap: at the line behind it; an editor takes no more of it either."""
    following = next((line for line in case.suffix.split("\n") if line.strip()), "")
    return (f"\n{following}",) if following and case.kind == "span" else ()


def _first_line(text: str) -> str:
    """With its end, and without empty lines before it."""
    kept = text.lstrip("\n")
    return kept.partition("\n")[0] + "\n"


# --- judging -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """One case, filled in one way. `error` is why the program does not pass its tests, "" where it does."""

    case: Case
    way: str
    filled: Filled
    seconds: float
    error: str

    @property
    def exact(self) -> bool:
        return self.filled.text.strip() == self.case.gap.strip()

    @property
    def passes(self) -> bool:
        return not self.error

    def describe(self) -> dict[str, Any]:
        told = {"id": self.case.id, "kind": self.case.kind, "way": self.way, "how": self.filled.how}
        judged = {"exact": self.exact, "passes": self.passes, "error": self.error}
        cost = {"seconds": round(self.seconds, 3), "generated_tokens": self.filled.usage.generated_tokens}
        return {**told, "text": self.filled.text, "gap": self.case.gap, **judged, **cost}


def evaluate(model: Model, cases: Sequence[Case], ways: Mapping[str, Way]) -> Iterator[Outcome]:
    """Each case in each way. What a case raises is its outcome, and not the end of the run."""
    for case in cases:
        for name, way in ways.items():
            started = time.monotonic()
            try:
                filled, failed = way(model, case), ""
            except LinnetError as error:
                filled, failed = Filled("", f"failed: {error.code}"), error.message
            seconds = time.monotonic() - started
            yield Outcome(case, name, filled, seconds, failed or fault(case, filled.text))


def fault(case: Case, text: str) -> str:
    """The error that the program ends with once the gap is filled with this text, or its tests do; "" for none."""
    pieces = (case.prefix + text + case.suffix, case.test, f"check({case.entry})")
    try:
        errors = trial.run(pieces).errors
    except LinnetError as error:
        return error.message
    return next((error for error in errors if error), "")


def totals(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each kind and way: shares, 95 % intervals, and McNemar's `p` for passing, against the first way."""
    rows = []
    first = outcomes[0].way if outcomes else ""
    for kind in dict.fromkeys(one.case.kind for one in outcomes):
        base = [one.passes for one in outcomes if (one.case.kind, one.way) == (kind, first)]
        for way in dict.fromkeys(one.way for one in outcomes):
            some = [one for one in outcomes if (one.case.kind, one.way) == (kind, way)]
            rows.append({"way": way, "kind": kind, **_row(some), "p": mcnemar(base, [one.passes for one in some])})
    return rows


def _row(some: Sequence[Outcome]) -> dict[str, Any]:
    exact, passes = sum(one.exact for one in some), sum(one.passes for one in some)
    return {
        "of": len(some),
        "how": sorted({one.filled.how for one in some}),
        "exact": {"share": exact / len(some), "interval": wilson(exact, len(some))},
        "passes": {"share": passes / len(some), "interval": wilson(passes, len(some))},
        "median_seconds": round(statistics.median(one.seconds for one in some), 3),
        "generated_tokens": sum(one.filled.usage.generated_tokens for one in some),
    }
