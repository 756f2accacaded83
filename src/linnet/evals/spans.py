"""Slot spans in short sentences: which words of a guest's sentence are the time, the date, the people, the names.

The data is RESTAURANTS-8K (Coope et al. 2020), a JSON list of `{userInput: {text}, context: {requestedSlots},
labels: [{slot, valueSpan: {startIndex, endIndex}}]}` with an absent start for 0. Each slot is an optional
text parameter of one tool; what the guest was just asked for stands in the tool's description.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from linnet.calling.fill import fill
from linnet.errors import InputInvalid, LinnetError
from linnet.evals.folder import read_file
from linnet.evals.statistics import wilson
from linnet.requests import Model, Usage
from linnet.tools import Tool

SLOTS = {
    "time": "The time of day of the booking, as it was said.",
    "date": "The day or date of the booking, as it was said.",
    "people": "How many people come, or who they are, as it was said.",
    "first_name": "The first name of the guest.",
    "last_name": "The last name of the guest.",
}
"""Slot -> what it is, in one line."""


@cache
def booking(requested: tuple[str, ...]) -> Tool:
    """The tool whose parameters are the slots, after a question for these."""
    asked = f" The guest was just asked for the {' and the '.join(requested)}." if requested else ""
    properties = {slot: {"type": "string", "description": told} for slot, told in SLOTS.items()}
    told = f"Note what a guest says about booking a table in a restaurant.{asked}"
    return Tool.from_schema("book_table", told, {"properties": properties})


# --- sentences -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sentence:
    """What a guest said, what was asked before, and the slots in it: slot -> words."""

    id: str
    text: str
    requested: tuple[str, ...]
    slots: Mapping[str, str]
    fault: str = ""


def load(path: Path, limit: int | None = None) -> tuple[Sentence, ...]:
    """The sentences of a file, or `limit` of them, evenly spread because files are sorted by length.

    A row that cannot be read has a `fault`. Raises InputInvalid for a file that is none of this form.
    """
    if not path.is_file():
        hint = "Name the test.json of RESTAURANTS-8K, as --data."
        raise InputInvalid(f"there is no data file {str(path)!r}", hint=hint, path=str(path))
    try:
        rows = json.loads(read_file(path))
    except ValueError as error:
        raise InputInvalid(f"{str(path)!r} is not JSON: {error}", path=str(path)) from error
    if not isinstance(rows, list) or not rows:
        raise InputInvalid(f"{str(path)!r} is not a list of sentences", path=str(path))
    most = min(limit or len(rows), len(rows))
    return tuple(_sentence(rows[number], number) for number in (i * len(rows) // most for i in range(most)))


def _sentence(row: Any, number: int) -> Sentence:
    try:
        text = row["userInput"]["text"]
        requested = tuple(row.get("context", {}).get("requestedSlots", ()))
        slots = {label["slot"]: _span(text, label["valueSpan"]) for label in row.get("labels", ())}
        return Sentence(str(number), text, requested, slots)
    except (LookupError, TypeError, AttributeError) as error:
        return Sentence(str(number), "", (), {}, f"row {number} cannot be read: {type(error).__name__}: {error}")


def _span(text: str, span: Mapping[str, int]) -> str:
    return text[span.get("startIndex", 0) : span["endIndex"]]


def normal(text: str) -> str:
    """Words as they are compared: without case, with single spaces, and nothing but words at the edges."""
    return re.sub(r"^\W+|\W+$", "", " ".join(text.casefold().split()))


# --- outcomes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The slots that were found in a sentence; with an `error`, none."""

    sentence: Sentence
    slots: Mapping[str, str]
    seconds: float
    usage: Usage = Usage()
    error: Mapping[str, Any] | None = None

    @property
    def right(self) -> bool:
        """Whether all slots are right, and no others were found."""
        return self.error is None and _plain(self.slots) == _plain(self.sentence.slots)

    def describe(self) -> dict[str, Any]:
        """The one JSON form, flat, for a line of a file."""
        return {
            "id": self.sentence.id,
            "text": self.sentence.text,
            "requested": list(self.sentence.requested),
            "slots": dict(self.slots),
            "expected": dict(self.sentence.slots),
            "right": self.right,
            "seconds": round(self.seconds, 4),
            **asdict(self.usage),
            "error": self.error,
        }


def evaluate(model: Model, sentences: Iterable[Sentence]) -> Iterator[Found]:
    """Sentence by sentence; what one of them raises is its own outcome."""
    for sentence in sentences:
        yield _find(model, sentence)


def _find(model: Model, sentence: Sentence) -> Found:
    started = time.monotonic()
    try:
        if sentence.fault:
            raise InputInvalid(sentence.fault)
        filled = fill(model, booking(sentence.requested), sentence.text)
    except Exception as error:
        told = error if isinstance(error, LinnetError) else LinnetError(f"unexpected {type(error).__name__}: {error}")
        return Found(sentence, {}, time.monotonic() - started, error=told.describe())
    slots = {slot: str(words) for slot, words in filled.arguments.items() if words not in (None, "")}
    return Found(sentence, slots, time.monotonic() - started, filled.usage)


def _plain(slots: Mapping[str, str]) -> dict[str, str]:
    return {slot: normal(words) for slot, words in slots.items()}


# --- totals --------------------------------------------------------------------------------------


def totals(found: Sequence[Found]) -> dict[str, Any]:
    """Precision, recall and F1 of each slot and of all together (micro), null where there is nothing to count;
    and the share of sentences that are right as a whole, with its 95 % Wilson interval."""
    right = sum(outcome.right for outcome in found)
    return {
        "slots": {slot: _counted(found, [slot]) for slot in SLOTS},
        "all": _counted(found, list(SLOTS)),
        "right": right,
        "of": len(found),
        "share": right / len(found) if found else None,
        "interval": list(wilson(right, len(found))),
        "errors": sum(outcome.error is not None for outcome in found),
        "median_seconds": statistics.median(o.seconds for o in found) if found else 0.0,
        "usage": asdict(sum((outcome.usage for outcome in found), Usage())),
    }


def _counted(found: Sequence[Found], slots: Sequence[str]) -> dict[str, Any]:
    pairs = [(_plain(o.slots).get(slot), _plain(o.sentence.slots).get(slot)) for o in found for slot in slots]
    hits = sum(given is not None and given == wanted for given, wanted in pairs)
    given, wanted = (sum(pair[side] is not None for pair in pairs) for side in (0, 1))
    return {
        "hits": hits,
        "found": given,
        "expected": wanted,
        "precision": hits / given if given else None,
        "recall": hits / wanted if wanted else None,
        "f1": 2 * hits / (given + wanted) if given + wanted else None,
    }
