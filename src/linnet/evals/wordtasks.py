"""Arithmetic in words: the cases of GSM8K, and tasks of one or two steps made up from a seed.

The made-up ones say how hard the arithmetic is apart from how hard the story is: numbers of two digits, stories of
two sentences, and every number of a task takes part, in the order in which it is told.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linnet.agent.tools.calculator import evaluate
from linnet.errors import InputInvalid
from linnet.evals.folder import read_file


@dataclass(frozen=True)
class Task:
    """A question and the number that answers it."""

    id: str
    text: str
    answer: float
    kind: str = "gsm8k"


def load(folder: Path, limit: int | None = None) -> tuple[Task, ...]:
    """The cases in a folder's `test.jsonl`, at most `limit` of them, spread over the file. Raises InputInvalid."""
    path = folder / "test.jsonl"
    lines = [line for line in read_file(path).splitlines() if line.strip()]
    if not lines:
        raise InputInvalid(f"there is no case in {str(path)!r}", hint="Name the folder of GSM8K, as --data.")
    count = min(limit or len(lines), len(lines))
    places = [index * len(lines) // count for index in range(count)]
    return tuple(_read(lines[place], place, path) for place in places)


def _read(line: bytes, place: int, path: Path) -> Task:
    try:
        row = json.loads(line)
        return Task(str(place), row["question"], float(row["answer"].rpartition("####")[2].replace(",", "")))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"line {place + 1} of {str(path)!r} is no case of GSM8K: {type(error).__name__}: {error}"
        raise InputInvalid(message, path=str(path), line=place + 1) from error


def together(folder: Path | None, limit: int | None, count: int, seed: int) -> tuple[Task, ...]:
    """The cases of a folder, if one is named, and so many made-up ones. Raises InputInvalid where there is none."""
    tasks = (*(load(folder, limit) if folder else ()), *made(count, seed))
    if not tasks:
        raise InputInvalid("there is no case", hint="Name the folder of GSM8K as --data, or a number as --made.")
    return tasks


# --- made-up tasks -------------------------------------------------------------------------------

Story = tuple[str, str]
"""A text, and the calculation that answers it."""

_ONE: Sequence[Story] = (
    ("{name} has {a} {things}. A friend brings {b} more. How many {things} does {name} have now?", "{a} + {b}"),
    ("There are {a} {things} in one box and {b} in another. How many are there in both boxes?", "{a} + {b}"),
    ("{name} had {a} {things} and gave {c} of them away. How many {things} are left?", "{a} - {c}"),
    ("A shelf holds {a} {things}. {name} takes {c} down. How many {things} stay on the shelf?", "{a} - {c}"),
    ("{name} fills {d} bags with {b} {things} each. How many {things} is that?", "{d} * {b}"),
    ("{name} works {d} hours a day. How many hours does {name} work in {b} days?", "{d} * {b}"),
    ("{name} shares {m} {things} equally among {d} friends. How many does each friend get?", "{m} / {d}"),
    ("A rope of {m} feet is cut into {d} equal pieces. How long is each piece?", "{m} / {d}"),
)
_TWO: Sequence[Story] = (
    ("{name} buys {d} packs of {a} {things} and loses {e} of the {things}. How many are left?", "{d} * {a} - {e}"),
    ("{name} has {a} {things}, finds {b} more and sells {e}. How many does {name} have?", "{a} + {b} - {e}"),
    (
        "A ticket costs {d} dollars. {name} buys {b} and pays a fee of {e} dollars. What is the price?",
        "{d} * {b} + {e}",
    ),
    ("{name} shares {m} {things} among {d} friends. One gets {e} more. How many has that one?", "{m} / {d} + {e}"),
    ("{name} had {a} {things}, lost {e}, and then bought {b}. How many are there now?", "{a} - {e} + {b}"),
    ("A farmer plants {d} rows of {a} trees. {e} trees die. How many trees live?", "{d} * {a} - {e}"),
)
_NAMES = "Ada Ben Chen Dora Emil Fatima Goran Hana Ivo Jun".split()
_THINGS = "marbles stamps apples pencils coins cards shells buttons books tiles".split()


def made(count: int, seed: int = 0) -> tuple[Task, ...]:
    """`count` tasks, those of one step and of two in turns. The same seed makes the same tasks."""
    draw = random.Random(seed)
    return tuple(_made(index, draw) for index in range(count))


def _made(index: int, draw: random.Random) -> Task:
    kind, stories = (("one step", _ONE), ("two steps", _TWO))[index % 2]
    text, answer = stories[index // 2 % len(stories)]
    numbers = _numbers(draw)
    words = {"name": draw.choice(_NAMES), "things": draw.choice(_THINGS)}
    return Task(f"made-{index}", text.format(**numbers, **words), float(evaluate(answer.format(**numbers))), kind)


def _numbers(draw: random.Random) -> dict[str, int]:
    """`a` is over `c` and `e`, and `m` a multiple of `d`, so that no answer is below zero or broken."""
    d = draw.randint(3, 12)
    return {
        "a": draw.randint(30, 99),
        "b": draw.randint(11, 60),
        "c": draw.randint(11, 29),
        "d": d,
        "e": draw.randint(4, 9),
        "m": d * draw.randint(6, 24),
    }
