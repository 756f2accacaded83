"""Text whose values are marked, so that what is done to the words around them leaves the values alone."""

from __future__ import annotations

import re
from collections.abc import Callable

_OPEN, _CLOSE = "\ue000", "\ue001"
_VALUE = re.compile(f"({_OPEN}[^{_CLOSE}]*{_CLOSE})")


def value(text: str) -> str:
    """A value as it may stand among other words."""
    return f"{_OPEN}{text}{_CLOSE}"


def around(text: str, change: Callable[[str], str]) -> str:
    """Everything but the values, changed stretch by stretch."""
    return "".join(part if part.startswith(_OPEN) else change(part) for part in _VALUE.split(text))


def bare(text: str) -> str:
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def skeleton(text: str) -> str:
    """What is left where every value is the same: two requests with one skeleton differ in their values only."""
    return " ".join(_VALUE.sub("_", text).lower().split())


def capital(text: str) -> str:
    """With a capital at its beginning, unless a value stands there."""
    return text if text.startswith(_OPEN) else text[:1].upper() + text[1:]
