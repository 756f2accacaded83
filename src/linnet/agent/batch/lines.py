"""A file of requests: one JSON object `{"id", "text"}` a line, read in bounds; a bad line is told, not raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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


def read(path: Path) -> Iterator[Asked]:
    """Every line that is not blank. Raises InputInvalid for a file that cannot be read, or has too many."""
    try:
        if path.exists() and not path.is_file():
            raise InputInvalid(f"{str(path)!r} is no file", hint="Write the requests to a file first.")
        with path.open("rb") as file:
            for count, (number, line) in enumerate(_lines(file), 1):
                if count > LIMITS.batch_lines:
                    raise InputInvalid(f"{str(path)!r} has over {LIMITS.batch_lines:,} requests", hint="Split it.")
                yield _asked(number, line)
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


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Of a line that is too long no more than shows that it is."""
    most, number = LIMITS.batch_line_bytes, 0
    while line := file.readline(most + 2):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(most)):
            pass
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line := line.strip(b" \t\r\n"):
            yield number, line


def _asked(number: int, line: bytes) -> Asked:
    id = None
    try:
        if len(line) > LIMITS.batch_line_bytes:
            raise ValueError(f"it is over {LIMITS.batch_line_bytes:,} bytes")
        request = json.loads(line)
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


def _id(id: Any) -> str | int:
    if isinstance(id, bool) or not isinstance(id, str | int):
        raise ValueError("it has no `id` that is a text or a whole number")
    if len(str(id)) > LIMITS.batch_id_chars:
        raise ValueError(f"its `id` is over {LIMITS.batch_id_chars} characters")
    return id
