"""Does a chain of attempts help a small model? The same short questions in four ways, each judged, with its cost.

    python benchmarks/cascade.py [--model default] [--limit N] [--out FILE]

`alone`: the model, asked plainly. `fallback`: the same, then a simpler prompt, then rules; an answer is taken if it
has the form that was asked for and, for sums, if a calculator agrees. `specialists`: rules tell the kind, and each
kind has a prompt and a constraint of its own, sums a calculator. `refined`: the same without constraints, each answer
read over by the same model. There is one real model here, so the specialists are its prompts.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

from linnet.agent.cascade import Attempt, Cascade, Rules, asked_last, simpler
from linnet.agent.specialists import Prompted, Refiner, Specialists, by_rules
from linnet.agent.tools.calculator import calculator
from linnet.errors import LinnetError
from linnet.evals.statistics import mcnemar, wilson
from linnet.messages import Message
from linnet.requests import Choice, Done, Generate, Model, complete
from linnet.runtime.local import open_local

SYSTEM = Message("system", "You are a helpful assistant.", trusted=True)
CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Egypt": "Cairo", "Spain": "Madrid", "Peru": "Lima",
    "Norway": "Oslo", "Greece": "Athens", "Cuba": "Havana",
    "Austria": "Vienna", "Kenya": "Nairobi", "Canada": "Ottawa",
}  # fmt: skip
SUMS = ["17 + 26", "9 * 12", "144 / 12", "83 - 47", "15 * 15", "7 * 8 + 4", "1000 - 250", "36 / 4", "125 + 375",
        "13 * 7", "64 - 19", "2.5 * 4"]  # fmt: skip
FACTS = {
    "Is the sun a star?": "yes", "Is a whale a fish?": "no", "Is ice frozen water?": "yes",
    "Do spiders have six legs?": "no", "Is Paris in Germany?": "no", "Is seven a prime number?": "yes",
    "Can penguins fly?": "no", "Is iron a metal?": "yes",
    "Is the moon bigger than the earth?": "no", "Do plants need light?": "yes", "Is gold lighter than water?": "no",
    "Is English spoken in Australia?": "yes",
}  # fmt: skip
CASES = (
    [("capital", f"What is the capital of {land}? Name the city.", city.lower()) for land, city in CAPITALS.items()]
    + [("sum", f"What is {text}?", text) for text in SUMS]
    + [("fact", f"{text} Answer yes or no.", answer) for text, answer in FACTS.items()]
)


def kind(text: str) -> str:
    return "capital" if "capital" in text else "fact" if "yes or no" in text else "sum"


def calculated(text: str) -> str | None:
    arguments = calculator.match(text)
    return None if arguments is None else str(calculator.render_answer(arguments, calculator.run(arguments)))


def value_of(text: str) -> float:
    return float(re.findall(r"-?\d+(?:\.\d+)?", (calculated(text) or "").replace(",", ""))[-1])


def well_formed(request: Generate, done: Done) -> str:
    """What a program can see of an answer without knowing it."""
    text, said = asked_last(request), done.text.lower()
    match kind(text):
        case "sum":
            found = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", said.replace(",", ""))]
            return "" if found and found[-1] == value_of(text) else "the calculator disagrees"
        case "fact":
            return "" if re.match(r"\W*(yes|no)\b", said) else "it says neither yes nor no"
        case _:
            return "" if sum(city.lower() in said for city in CAPITALS.values()) == 1 else "it names no single city"


def is_right(case: tuple[str, str, str], answer: str) -> bool:
    what, text, expected = case
    said = answer.lower()
    if what == "sum":
        found = re.findall(r"-?\d+(?:\.\d+)?", said.replace(",", ""))
        return bool(found) and float(found[-1]) == value_of(text)
    if what == "fact":
        return re.match(rf"\W*{expected}\b", said) is not None
    return expected in said


def ways(model: Model) -> dict[str, Model]:
    rules = Rules(calculated, name="calculator")
    cities, yes = Choice(tuple(CAPITALS.values())), Choice(("Yes", "No"))
    free = {
        "capital": Prompted(model, "Name the city, nothing else."),
        "fact": Prompted(model, "Answer with yes or no."),
        "sum": rules,
    }
    held = {
        "capital": Prompted(model, "Name the city, nothing else.", constraint=cities),
        "fact": Prompted(model, "Answer with yes or no.", constraint=yes),
        "sum": rules,
    }
    return {
        "alone": model,
        "fallback": Cascade(
            Attempt("plain", model, accept=well_formed),
            Attempt("simpler", model, ask=simpler, accept=well_formed),
            rules,
        ),
        "specialists": Specialists(by_rules(kind), held, default="fact"),
        "refined": Specialists(by_rules(kind), free, default="fact", refiner=Refiner(model)),
    }


def run(model: Model, cases: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    rows = []
    for name, way in ways(model).items():
        for case in cases:
            begun = time.monotonic()
            row: dict[str, Any] = {"way": name, "kind": case[0], "text": case[1]}
            try:
                done = complete(way, Generate((SYSTEM, Message("user", case[1])), max_tokens=32))
                row |= {"answer": done.text, "right": is_right(case, done.text), "how": done.how}
                row |= {"prompt": done.usage.prompt_tokens, "generated": done.usage.generated_tokens}
            except LinnetError as error:
                row |= {"answer": "", "right": False, "how": error.code, "prompt": 0, "generated": 0}
            rows.append(row | {"ms": round((time.monotonic() - begun) * 1e3)})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    alone = [row["right"] for row in rows if row["way"] == "alone"]
    lines = ["| way | right | 95 % | capital/sum/fact | p against alone | tokens in/out | ms, median |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == name]
        right = [row["right"] for row in own]
        low, high = wilson(sum(right), len(right))
        kinds = "/".join(str(sum(r["right"] for r in own if r["kind"] == k)) for k in ("capital", "sum", "fact"))
        tokens = f"{statistics.mean(r['prompt'] for r in own):.0f}/{statistics.mean(r['generated'] for r in own):.0f}"
        middle = statistics.median(r["ms"] for r in own)
        lines.append(
            f"| {name} | {sum(right)} of {len(right)} | {low:.2f} to {high:.2f} | {kinds} |"
            f" {mcnemar(alone, right):.3f} | {tokens} | {middle:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--limit", type=int, default=len(CASES))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    model = open_local(chosen.model, context=1_024)
    try:
        rows = run(model, CASES[: chosen.limit])
    finally:
        model.close()
    if chosen.out:
        chosen.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
