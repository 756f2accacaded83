"""JSON that stands in a request as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate
from linnet.limits import LIMITS

_OPENINGS = 64
"""Brackets from which JSON is tried to be read; each may cost as much as the whole text."""


def literals(reading: Reading, kind: type[list[Any]] | type[dict[str, Any]]) -> Iterator[Candidate]:
    """Lists, or objects; an object may have single quotation marks."""
    opening = "[" if kind is list else "{"
    text = reading.text if kind is list else reading.text.replace("'", '"')
    end = 0
    for _ in range(_OPENINGS):
        start = text.find(opening, end)
        if start < 0:
            return
        value, end = _read(text, start)
        if isinstance(value, kind) and _is_shallow(value, LIMITS.schema_depth):
            yield Candidate(value, "literal", *reading.covered(start, end))


def _read(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins here and the place behind it; None and the next place where there is none."""
    try:
        return json.JSONDecoder(parse_constant=_refuse).raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_shallow(value: Any, levels: int) -> bool:
    """Whether it is nested no deeper than `levels`."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in inner)
