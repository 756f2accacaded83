"""A file of requests: one JSON object `{"id", "text"}` a line, read in bounds; a bad line is told, not raised.

A row of a Parquet file is taken for such a line, so that all that follows knows one form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.agent.batch import parquet
from linnet.errors import InputInvalid, LinnetError
from linnet.limits import LIMITS


@dataclass(frozen=True)
class Asked:
    """One line, counted from 1: a request, or what is wrong with it. `id` is None where the line has none."""

    line: int
    id: str | int | None
    text: str = ""
    error: LinnetError | None = None

    @property
    def key(self) -> str:
        return key_of(self.id, self.line)


def key_of(id: Any, line: Any) -> str:
    """What a request is known by: its id, or else its line."""
    return f"line {line}" if id is None else json.dumps(id)


@dataclass(frozen=True)
class Line:
    """A line as it stands there: its number, counted from 1, and `at`: the byte, or row, at which it begins."""

    number: int
    at: int
    body: bytes


def read(path: Path) -> Iterator[Asked]:
    """Every line that is not blank. Raises InputInvalid for a file that cannot be read, or has too many."""
    return (asked(line.number, line.body) for line in raw(path))


def raw(path: Path, number: int = 1, at: int = 0) -> Iterator[Line]:
    """The lines that are not blank, from the one of that number, which begins there. Raises as `read` does."""
    try:
        if path.exists() and not path.is_file():
            raise InputInvalid(f"{str(path)!r} is no file", hint="Write the requests to a file first.")
        for count, line in enumerate(_rows(path, at) if parquet.named(path) else _lines(path, number, at), 1):
            if count > LIMITS.batch_lines:
                raise InputInvalid(f"{str(path)!r} has over {LIMITS.batch_lines:,} requests", hint="Split it.")
            yield line
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", path=str(path)) from error


def keys(path: Path) -> list[str]:
    """The key of each request, in order. Raises InputInvalid for an id that stands there twice."""
    seen: dict[str, int] = {}
    for asked in read(path):
        if (first := seen.setdefault(asked.key, asked.line)) != asked.line:
            message = f"{str(path)!r}: line {asked.line} has the id {asked.key} of line {first}"
            raise InputInvalid(message, hint="Give each request an id of its own.", line=asked.line)
    return list(seen)


def asked(number: int, body: bytes) -> Asked:
    """What a line asks for, or what is wrong with it."""
    id = None
    try:
        if len(body) > LIMITS.batch_line_bytes:
            raise ValueError(f"it is over {LIMITS.batch_line_bytes:,} bytes")
        request = json.loads(body)
        if not isinstance(request, dict):
            raise ValueError("it is no JSON object")
        id = _id(request.get("id"))
        if not isinstance(request.get("text"), str):
            raise ValueError("it has no `text`")
        return Asked(number, id, request["text"])
    except (ValueError, RecursionError) as error:
        hint = 'A line is a JSON object such as {"id": "a1", "text": "What is 2 + 2?"}.'
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        return Asked(number, id, error=InputInvalid(f"line {number}: {reason}", hint=hint, line=number))


def _lines(path: Path, number: int, at: int) -> Iterator[Line]:
    """Of a line that is too long no more than shows that it is."""
    most = LIMITS.batch_line_bytes
    with path.open("rb") as file:
        file.seek(at)
        while line := file.readline(most + 2):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(most)):
                pass
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line := line.strip(b" \t\r\n"):
                yield Line(number, at, line)
            number, at = number + 1, file.tell()


def _rows(path: Path, at: int) -> Iterator[Line]:
    for row, request in enumerate(parquet.read(path, at), at):
        yield Line(row + 1, row, json.dumps(request, default=lambda value: None).encode())


def _id(id: Any) -> str | int:
    if isinstance(id, bool) or not isinstance(id, str | int):
        raise ValueError("it has no `id` that is a text or a whole number")
    if len(str(id)) > LIMITS.batch_id_chars:
        raise ValueError(f"its `id` is over {LIMITS.batch_id_chars} characters")
    return id
