"""Whether calls are right, by the rules of the Berkeley Function Calling Leaderboard's checker (v4).

An expected call is `{name, arguments: {argument: [allowed values]}}`; an empty string among the allowed
values means that the argument may be left out. Types are exact, strings are compared without case, spaces
and light punctuation, lists in order, objects one level deep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Call = Mapping[str, Any]


def judge(calls: Sequence[Call], expected: Sequence[Call]) -> str:
    """An empty string when the calls are right, in any order; otherwise what is wrong, in words."""
    if len(calls) != len(expected):
        return f"{len(calls)} calls, {len(expected)} expected"
    left = list(expected)
    for call in calls:
        faults = [judge_one(call, want) for want in left]
        if "" not in faults:
            return faults[0]
        del left[faults.index("")]
    return ""


def judge_one(call: Call, want: Call) -> str:
    """As `judge`, for one call against one expected."""
    if call["name"] != want["name"]:
        return f"{call['name']} called, {want['name']} expected"
    given, allowed = call["arguments"], want["arguments"]
    for name, value in given.items():
        if name not in allowed:
            return f"argument {name} was not expected"
        if not any(same(value, choice) for choice in allowed[name]):
            return f"{name} = {value!r}, expected one of {allowed[name]!r}"
    missing = [name for name, choices in allowed.items() if name not in given and "" not in choices]
    return f"argument {missing[0]} is missing" if missing else ""


def same(value: Any, choice: Any) -> bool:
    """Whether a value is the allowed one: exact types, but an integer may stand for a whole float."""
    if isinstance(value, bool) or isinstance(choice, bool):
        return value is choice
    if isinstance(value, str) and isinstance(choice, str):
        return plain(value) == plain(choice)
    if isinstance(value, list | tuple) and isinstance(choice, list | tuple):
        return len(value) == len(choice) and all(map(same, value, choice))
    if isinstance(value, dict) and isinstance(choice, dict):
        return _same_object(value, choice)
    if isinstance(value, float) and isinstance(choice, int):
        return False
    return isinstance(value, int | float) and isinstance(choice, int | float) and math.isclose(value, choice)


def _same_object(value: Mapping[str, Any], choice: Mapping[str, Any]) -> bool:
    if any(key not in choice for key in value):
        return False
    options = {key: allowed if isinstance(allowed, list) else [allowed] for key, allowed in choice.items()}
    given = all(any(same(value[key], option) for option in options[key]) for key in value)
    return given and all(key in value or "" in allowed for key, allowed in options.items())


def plain(text: str) -> str:
    """A string as the checker compares it."""
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) when nothing was tried."""
    if not of:
        return 0.0, 1.0
    share, spread = right / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
