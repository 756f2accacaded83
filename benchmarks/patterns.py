"""With and without: chains, chain of density, the completer and the test writer, on the real model.

    python benchmarks/patterns.py --infilling ../shared/data/humaneval_infilling --cases 50 [--only chain ...]

Each line compares two ways on the same cases: how many each has right, what the second gained and lost (McNemar's
exact p), and what a case costs in tokens and seconds. Orders and passages are made up from a seed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linnet.agent.ask import Ask
from linnet.agent.checks import IsNumber
from linnet.agent.completer import Completer
from linnet.agent.density import density
from linnet.agent.micro import test_writer
from linnet.agent.testing import written
from linnet.evals.statistics import mcnemar, wilson
from linnet.requests import Model, Usage
from linnet.runtime import trial
from linnet.runtime.local import open_local

Way = Callable[[Model, Any], tuple[bool, Usage]]


def compare(model: Model, name: str, cases: list[Any], ways: dict[str, Way]) -> None:
    right: dict[str, list[bool]] = {way: [] for way in ways}
    spent: dict[str, list[tuple[float, Usage]]] = {way: [] for way in ways}
    for case in cases:
        for way, run in ways.items():
            started = time.monotonic()
            good, usage = run(model, case)
            right[way].append(good)
            spent[way].append((time.monotonic() - started, usage))
    first = next(iter(right.values()))
    for way, found in right.items():
        low, high = wilson(sum(found), len(found))
        pairs = list(zip(first, found, strict=True))
        usage = sum((each for _, each in spent[way]), Usage())
        told = {
            "pattern": name,
            "way": way,
            "right": sum(found),
            "of": len(found),
            "interval": [round(100 * low, 1), round(100 * high, 1)],
            "gained": pairs.count((False, True)),
            "lost": pairs.count((True, False)),
            "p": mcnemar(first, found),
            "median_seconds": round(statistics.median(seconds for seconds, _ in spent[way]), 2),
            "prompt_tokens": round(usage.prompt_tokens / len(found), 1),
            "cached_tokens": round(usage.cached_tokens / len(found), 1),
            "generated_tokens": round(usage.generated_tokens / len(found), 1),
        }
        print(json.dumps(told), flush=True)


# --- a mini-chain: orders ------------------------------------------------------------------------

_ORDERS = (
    "Please send {count} {things} at {price} dollars each to the office.",
    "We would like {count} {things}. One costs {price} dollars.",
    "{things} are {price} dollars apiece, and I need {count} of them.",
    "At {price} dollars each, put {count} {things} on my account.",
)


def orders(count: int) -> list[tuple[str, float]]:
    draw = random.Random(6)
    made = []
    for at in range(count):
        number, price = draw.randint(3, 40), draw.randint(2, 99) + draw.choice((0, 0.5))
        things = draw.choice("notebooks chairs lamps pens cups".split())
        text = _ORDERS[at % len(_ORDERS)].format(count=number, price=f"{price:g}", things=things)
        made.append((text, number * price))
    return made


def one_question(model: Model, case: tuple[str, float]) -> tuple[bool, Usage]:
    from linnet.agent.sums import ANSWER

    ask = Ask("total", "Order: {order}\nTotal price: ", ANSWER, check=IsNumber(), max_tokens=16, stop=())
    done = ask.take(model, {"order": case[0]})
    return done.ok and abs(done.value - case[1]) < 1e-6, done.usage


def mini_chain(model: Model, case: tuple[str, float]) -> tuple[bool, Usage]:
    done = _example("mini_chain").total.run(model, order=case[0])
    return done.ok and abs(done.value - case[1]) < 1e-6, done.usage


def one_count(model: Model, case: tuple[str, float]) -> tuple[bool, Usage]:
    """No model: the first number times the second. Floor and ceiling at once, as orders have two numbers."""
    first, second = map(float, re.findall(r"\d+(?:\.\d+)?", case[0]))
    return abs(first * second - case[1]) < 1e-6, Usage()


def chosen_count(model: Model, case: tuple[str, float]) -> tuple[bool, Usage]:
    """Which number is which is what the model decides: right if count and price are not swapped."""
    done = _example("mini_chain").total.run(model, order=case[0])
    return done.ok and f"{done.values['price']:g} dollars" in case[0], done.usage


def _example(name: str) -> Any:
    path = Path(__file__).parents[1] / "examples" / f"{name}.py"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


# --- chain of density: a question on a passage ---------------------------------------------------


def passages(count: int) -> list[tuple[str, str]]:
    draw = random.Random(7)
    made = []
    for at in range(count):
        town = draw.choice("Lund Varna Porto Graz Turku Bergen".split())
        name = draw.choice("Ada Holm|Ivo Petrov|Nina Costa|Emil Wagner|Lea Salo".split("|"))
        year, rooms = str(draw.randint(1850, 1990)), str(draw.randint(11, 60))
        text = f"The museum in {town} opened in {year}. It has {rooms} rooms. Its director is {name}. Entry is free."
        asked = (("When did the museum open?", year), ("How many rooms does it have?", rooms))
        question, answer = (*asked, ("Who is the director?", name), ("In which town is it?", town))[at % 4]
        made.append((f"{text} {question}", answer))
    return made


def direct_answer(model: Model, case: tuple[str, str]) -> tuple[bool, Usage]:
    done = Ask("answer", "{query}\nAnswer: ").take(model, {"query": case[0]})
    return done.ok and case[1] in done.value and len(done.value.split()) <= 20, done.usage


def dense_answer(model: Model, case: tuple[str, str]) -> tuple[bool, Usage]:
    done = density.run(model, query=case[0])
    return done.ok and case[1] in done.value and len(done.value.split()) <= 20, done.usage


# --- the completer: HumanEval's single lines -----------------------------------------------------


def lines(folder: Path, count: int) -> list[dict[str, str]]:
    with gzip.open(folder / "HumanEval-SingleLineInfilling.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [rows[at * len(rows) // count] for at in range(count)]


def completing(tries: int, python: bool) -> Way:
    def way(model: Model, case: dict[str, str]) -> tuple[bool, Usage]:
        done = Completer(tries=tries, python=python).run(model, prefix=case["prompt"], suffix=case["suffix"])
        text = done.value or ""
        return _passes(case["prompt"] + text + case["suffix"], case), done.usage

    return way


def parsing(tries: int, python: bool) -> Way:
    def way(model: Model, case: dict[str, str]) -> tuple[bool, Usage]:
        done = Completer(tries=tries, python=python).run(model, prefix=case["prompt"], suffix=case["suffix"])
        try:
            compile(case["prompt"] + (done.value or "?") + case["suffix"], "whole", "exec")
        except (SyntaxError, ValueError):
            return False, done.usage
        return True, done.usage

    return way


def _passes(code: str, case: dict[str, str]) -> bool:
    ran = trial.run([code, case["test"], f"check({case['entry_point']})"])
    return not any(ran.errors)


# --- the test writer: HumanEval's functions ------------------------------------------------------


def functions(folder: Path, count: int) -> list[str]:
    whole = {row["entry_point"]: row for row in lines(folder, 1033)}
    codes = [row["prompt"] + row["canonical_solution"] + row["suffix"] for row in whole.values()]
    short = [code for code in codes if len(code) < 900 and code.count("\ndef ") <= 1]
    return short[:count]


def all_hold(model: Model, code: str) -> tuple[bool, Usage]:
    """What a user gets who takes the first answer as it is: right if each of its tests holds."""
    ask = Ask("tests", "{code}\n\n# Tests\n", lambda values: written(values["code"]), max_tokens=120, stop=())
    done = ask.take(model, {"code": code})
    tests = [line for line in (done.value or "").splitlines() if line.strip()]
    ran = trial.run([code, *tests]) if tests else None
    return bool(ran and not any(ran.errors)), done.usage


def some_hold(model: Model, code: str) -> tuple[bool, Usage]:
    """What comes back has been run: right if something does."""
    done = test_writer.run(model, code=code)
    return done.ok, done.usage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--infilling", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--only", nargs="*", default=["chain", "density", "parses", "passes", "tests"])
    given = parser.parse_args()
    model = open_local(context=2_048)
    try:
        if "chain" in given.only:
            ways: dict[str, Way] = {"one question": one_question, "chain": mini_chain, "rule": one_count}
            compare(model, "chain", orders(given.cases), ways)
            compare(model, "chain: which number", orders(given.cases), {"chain": chosen_count})
        if "density" in given.only:
            compare(model, "density", passages(given.cases), {"direct": direct_answer, "density": dense_answer})
        cases = lines(given.infilling, given.cases)
        if "parses" in given.only:
            compare(model, "completer: parses", cases, {"first": parsing(1, False), "checked": parsing(3, True)})
        if "passes" in given.only:
            compare(
                model, "completer: passes", cases, {"first": completing(1, False), "checked": completing(3, True)}
            )
        if "tests" in given.only:
            codes = functions(given.infilling, given.cases)
            compare(model, "tests", codes, {"first answer holds": all_hold, "some test was kept": some_hold})
    finally:
        model.close()


if __name__ == "__main__":
    main()
