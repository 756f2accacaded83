"""Whether examples hold anything of the data that judges: names of tools, and runs of eight words.

The judged data is looked through file by file and never kept: what is remembered is the examples' own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid
from linnet.evals.folder import read_file
from linnet.evals.training.example import Example

GRAM = 8
"""Words in a row that nobody writes twice by chance."""
_SHOWN = 5
_WORD = re.compile(r"\w+")
_NAMES = frozenset(("name", "tool", "function", "api", "func"))
_ENDS = (".jsonl", ".json")


@dataclass
class Leaks:
    """What one folder of judged data shares with the examples. `requests` and `descriptions` count those that hold
    a run of its words; `names` are of tools that both have."""

    source: str
    texts: int = 0
    names: set[str] = field(default_factory=set)
    requests: set[int] = field(default_factory=set)
    descriptions: set[str] = field(default_factory=set)
    runs: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "texts": self.texts,
            "names": sorted(self.names),
            "requests": len(self.requests),
            "descriptions": len(self.descriptions),
            "runs": self.runs[:_SHOWN],
        }


class Seen:
    """The names and runs of words of some examples, to look for."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self.names: set[str] = set()
        self.requests: dict[str, list[int]] = defaultdict(list)
        self.descriptions: dict[str, list[str]] = defaultdict(list)
        known: set[str] = set()
        self.count = 0
        for self.count, example in enumerate(examples, 1):
            for run in runs(example.request):
                self.requests[run].append(self.count)
            for tool in example.tools:
                if tool.name not in known:
                    known.add(tool.name)
                    self._describe(tool.name, tool.description, tool.parameters)

    def _describe(self, name: str, description: str, parameters: dict[str, Any]) -> None:
        self.names.add(name.lower())
        for text in (description, *_texts(parameters)):
            for run in runs(text):
                self.descriptions[run].append(text)

    def look(self, value: Any, found: Leaks) -> None:
        """Notes in `found` what this JSON value shares with the examples."""
        found.names |= {name for name in _named(value) if name.lower() in self.names}
        for text in _texts(value):
            found.texts += 1
            for run in runs(text):
                if run in self.requests or run in self.descriptions:
                    found.requests.update(self.requests.get(run, ()))
                    found.descriptions.update(self.descriptions.get(run, ()))
                    found.runs += [run] if run not in found.runs and len(found.runs) < _SHOWN else []


def check(examples: Iterable[Example], folders: Sequence[Path]) -> list[Leaks]:
    """What these folders of JSON and JSON Lines share with the examples; one row for each folder that has files.

    Raises InputInvalid for a folder that has none, below it either.
    """
    seen = Seen(examples)
    files = [path for folder in folders for path in _files(folder)]
    found: dict[str, Leaks] = {}
    for path in files:
        row = found.setdefault(path.parent.name, Leaks(path.parent.name))
        for value in _values(path):
            seen.look(value, row)
    return list(found.values())


def table(rows: Sequence[Leaks], examples: int) -> list[str]:
    """The rows in lines of text."""
    lines = [
        f"{'judged data':24} {'texts':>8} {'names':>6} {'requests':>9} {'descriptions':>13}   of {examples} examples"
    ]
    for row in rows:
        counts = f"{row.texts:8} {len(row.names):6} {len(row.requests):9} {len(row.descriptions):13}"
        lines.append(f"{row.source:24} {counts}")
        lines += [f"    shared name: {name}" for name in sorted(row.names)[:_SHOWN]]
        lines += [f"    shared words: {run}" for run in row.runs]
    return lines


def runs(text: str) -> Iterator[str]:
    """All runs of `GRAM` words, in lower case."""
    words = _WORD.findall(text.lower())
    return (" ".join(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1))


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix in _ENDS and path.is_file())
    if not found:
        hint = "Name a folder with .json or .jsonl files in it."
        raise InputInvalid(f"{str(folder)!r} has no data to compare with", hint=hint, path=str(folder))
    return found


def _values(path: Path) -> Iterator[Any]:
    """The JSON values of a file; a line that is none counts as a text."""
    data = read_file(path).decode(errors="replace")
    for piece in data.splitlines() if path.suffix == ".jsonl" else [data]:
        try:
            yield json.loads(piece)
        except ValueError:
            yield piece


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value; those that are JSON themselves are texts as they stand."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)


def _named(value: Any) -> Iterator[str]:
    """What stands under a key for names of tools, wherever it is."""
    if isinstance(value, list):
        for part in value:
            yield from _named(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in _NAMES and isinstance(part, str):
                yield part
            yield from _named(part)
