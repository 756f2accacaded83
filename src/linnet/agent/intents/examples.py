"""Texts with their intents: the value, what is refused, and the files that hold them.

Two forms of file are read. JSON lines are `{"text", "intent", "split"}`, where an intent of null is out of
scope and split, `train` unless said otherwise, is one of train, validation and test. CLINC150's own form is
one object of lists of `[text, intent]` named train, val and test, and oos_train, oos_val and oos_test for
what is out of scope.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from linnet.errors import InputInvalid, RequestError
from linnet.faults import first_fault
from linnet.limits import LIMITS
from linnet.messages import STRICT

Split = Literal["train", "validation", "test"]

_CLINC = {"train": "train", "val": "validation", "test": "test"}
"""CLINC150's names of the splits."""

_OUT = "oos"


@checked(frozen=True, config=STRICT)
class Example:
    """A text and its intent; None for out of scope."""

    text: str = Field(min_length=1, max_length=LIMITS.intent_chars)
    intent: str | None = Field(default=None, min_length=1, max_length=LIMITS.intent_name_chars)


@checked(frozen=True, config=STRICT)
class _Line:
    text: str
    intent: str | None
    split: Split = "train"


@dataclass(frozen=True)
class Examples:
    """Those of one file, in its order, by split."""

    train: tuple[Example, ...] = ()
    validation: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()


_EXAMPLE = TypeAdapter(Example)
_LINE = TypeAdapter(_Line)
_LISTS: TypeAdapter[dict[str, list[tuple[str, str]]]] = TypeAdapter(dict[str, list[tuple[str, str]]])


def load(path: Path) -> Examples:
    """The examples of a file, in either form. Raises InputInvalid, naming what is wrong and where."""
    body = _read(path)
    lists = _as_object(body)
    rows = _of_lists(lists, path) if lists is not None else _of_lines(body, path)
    split: dict[str, list[Example]] = {name: [] for name in get_args(Split)}
    for name, example in rows:
        split[name].append(example)
    return Examples(*(tuple(split[name]) for name in get_args(Split)))


def example(text: str, intent: str | None) -> Example:
    """One that is checked. Raises RequestError, with the text that is no example."""
    try:
        return _EXAMPLE.validate_python({"text": text, "intent": intent})
    except ValidationError as error:
        raise RequestError(
            f"{str(text)[:80]!r} is no example of {intent or 'anything'}: {first_fault(error)}"
        ) from error


def few(examples: Sequence[Example], each: int) -> tuple[Example, ...]:
    """The first `each` of every intent, and all that are out of scope."""
    counts: dict[str, int] = {}
    kept = []
    for example in examples:
        if example.intent is not None:
            counts[example.intent] = counts.get(example.intent, 0) + 1
            if counts[example.intent] > each:
                continue
        kept.append(example)
    return tuple(kept)


def conflicts(examples: Sequence[Example]) -> list[tuple[str, list[str]]]:
    """Texts that are examples of several intents, case and spaces aside, with those; "nothing" is out of scope."""
    known: dict[str, dict[str, None]] = {}
    for example in examples:
        text = " ".join(example.text.casefold().split())
        known.setdefault(text, {})[example.intent or "nothing (out of scope)"] = None
    return [(text, [*intents]) for text, intents in known.items() if len(intents) > 1]


def check(examples: Sequence[Example]) -> None:
    """Raises RequestError for what no classifier can be trained on, or what is over a limit."""
    intents = {example.intent for example in examples} - {None}
    if len(intents) < 2:
        raise RequestError(f"{len(intents)} intents have examples", hint="Give examples of at least two intents.")
    for found, most, what in (
        (len(intents), LIMITS.intents, "intents"),
        (len(examples), LIMITS.intent_examples, "examples"),
    ):
        if found > most:
            raise RequestError(f"{found:,} {what} are over the limit of {most:,}", hint="Train on fewer.")


# --- files ---------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    most = LIMITS.intent_examples_bytes
    try:
        with path.open("rb") as file:
            body = file.read(most + 1)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    if len(body) > most:
        raise _wrong(path, f"is over {most:,} bytes")
    return body.removeprefix(b"\xef\xbb\xbf")


def _as_object(body: bytes) -> dict[str, Any] | None:
    """The one object of CLINC150's form; None for lines, of which a single one is an object with a text."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and "text" not in value else None


def _of_lists(lists: dict[str, Any], path: Path) -> Iterator[tuple[str, Example]]:
    try:
        found = _LISTS.validate_python(lists)
    except ValidationError as error:
        raise _wrong(path, first_fault(error)) from error
    for name, rows in found.items():
        out, _, kind = name.rpartition("_")
        if kind not in _CLINC or out not in ("", _OUT):
            hint = "CLINC150's are train, val, test, oos_train, oos_val and oos_test."
            raise _wrong(path, f"has an unknown list {name!r}", hint)
        for number, (text, intent) in enumerate(rows):
            yield _CLINC[kind], _example(text, None if out else intent, path, f"{name}, row {number}")


def _of_lines(body: bytes, path: Path) -> Iterator[tuple[str, Example]]:
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                row = _LINE.validate_json(line)
            except ValidationError as error:
                raise _wrong(path, f"line {number}: {first_fault(error)}") from error
            yield row.split, _example(row.text, row.intent, path, f"line {number}")


def _example(text: str, intent: str | None, path: Path, where: str) -> Example:
    try:
        return example(text, intent)
    except RequestError as error:
        raise _wrong(path, f"{where}: {error.message}") from error


def _wrong(path: Path, what: str, hint: str | None = None) -> InputInvalid:
    return InputInvalid(f"the examples file {str(path)!r} {what}", hint=hint, path=str(path))
