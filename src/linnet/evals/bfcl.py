"""Cases of the Berkeley Function Calling Leaderboard (v4), as JSON Lines: one file a category.

A line is `{id, question, function, ground_truth}`. The types of its schemas (`dict`, `float`, `tuple`, `any`
...) become JSON Schema's by `Tool.from_schema`; names of tools stay as they are, dots and all.

The request is what the user said last: the user's messages after the last answer of an assistant. What an
operator says (`system`) is no part of it, because a request's words are the evidence for arguments and
those are not the user's; what came before an answer was answered.

In a category with `irrelevance` in its name no call is right, in one with `relevance` any call is; in all
others the ground truth says. Lines without one are run and not judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.evals.folder import read
from linnet.evals.harness import Case, Want, offered


def load(folder: Path, categories: Sequence[str] = (), limit: int | None = None) -> tuple[Case, ...]:
    """The first `limit` cases of each of these categories; of every one in the folder when none is named.

    A line that cannot be read is a case with a `fault`. Raises InputInvalid as `folder.read` does.
    """
    files = read(folder, ".jsonl", categories)
    return tuple(case for category, data in files.items() for case in _cases(data, category)[:limit])


def _cases(data: bytes, category: str) -> list[Case]:
    lines = enumerate(data.splitlines(), 1)
    return [_case(line, category, number) for number, line in lines if line.strip()]


def _case(line: bytes, category: str, number: int) -> Case:
    try:
        return case_of(json.loads(line), category)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        fault = f"line {number} of {category} cannot be read: {type(error).__name__}: {error}"
        return Case(f"{category}:{number}", category, fault=fault)


def case_of(row: Mapping[str, Any], category: str) -> Case:
    """A line as a case. Raises what a dictionary of another form makes it raise."""
    tools, notes = offered(row["function"])
    expected = tuple(
        {"name": name, "arguments": {argument: list(values) for argument, values in arguments.items()}}
        for call in row.get("ground_truth") or ()
        for name, arguments in call.items()
    )
    want = _want(category, "ground_truth" in row)
    return Case(str(row["id"]), category, request_of(row["question"]), tools, want, expected, notes=notes)


def _want(category: str, has_truth: bool) -> Want:
    if "irrelevance" in category:
        return "none"
    if "relevance" in category:
        return "some"
    return "calls" if has_truth else "unknown"


def request_of(question: Sequence[Any]) -> str:
    """The request in a question: turns, each a list of messages, or one list of messages."""
    turns = [turn if isinstance(turn, list) else [turn] for turn in question]
    said: list[str] = []
    for message in (message for turn in turns for message in turn):
        match message["role"]:
            case "assistant":
                said = []
            case "user":
                said.append(str(message["content"]).strip())
    return "\n".join(said)
