"""Reads the small text files in which a kernel tells of itself.

Hides every way in which such a file can be missing, forbidden or garbled: what cannot be read is None, empty
or False, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def text(path: Path) -> str | None:
    """The text of a file; None if it cannot be read."""
    try:
        return path.read_bytes().decode(errors="replace")
    except (OSError, ValueError):  # ValueError: a NUL in a path
        return None


def numbers(line: str | None) -> list[int]:
    """The whole numbers in a text, in order."""
    return [int(digits) for digits in re.findall(r"[0-9]{1,19}", line or "")]


def field(lines: str | None, name: str) -> str | None:
    """The value of a line `name: value`."""
    found = re.search(rf"^{re.escape(name)}\s*:[ \t]*(.*)$", lines or "", re.MULTILINE)
    return found[1].strip() if found else None


def least(values: Iterable[T | None]) -> T | None:
    """The least of those known; None if none is."""
    known: list[Any] = [value for value in values if value is not None]
    return min(known, default=None)


def exists(root: Path, *paths: str) -> bool:
    """Whether any of these paths is there, as far as one can see."""
    try:
        return any((root / path).exists() for path in paths)
    except OSError:
        return False
