"""What features are read from: one tool, its parameters, one request, and what is asked of them again and again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from linnet.calling.evidence import codes, dates
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.numbers import quantities
from linnet.calling.ranking.tuples import tuples
from linnet.tools import Tool

_JOINT = re.compile(r"\s*[,;/&]?\s*(?:and|or)?\s*[$€£]?")
"""What may stand between two numbers of one enumeration."""

Features = dict[str, float]
"""Named numbers; one that is not there counts as 0."""


def holding(claims: Mapping[str, bool]) -> Features:
    """The claims that hold, each as 1."""
    return {name: 1.0 for name, holds in claims.items() if holds}


def near(value: int, most: int) -> int:
    """A difference, cut at `most` to either side."""
    return max(-most, min(most, value))


class Facts:
    """A tool's parameters and a request, side by side."""

    def __init__(self, tool: Tool, parameters: Sequence[Parameter], reading: Reading) -> None:
        self.parameters, self.reading = tuple(parameters), reading
        self.tool_stems = frozenset(words(f"{tool.name.replace('.', ' ')} {tool.description}"))
        self.numeric = [p for p in parameters if p.type == "number"]
        self.textual = [p for p in parameters if p.type == "string"]
        self.timed = sum(bool({"date", "time"} & set(p.senses)) for p in self.textual)
        self.places = any("place" in p.senses for p in self.textual)
        self.contexts: dict[tuple[Parameter, int, int], Features] = {}
        """What `context_features` says of words that many candidates stand among, by parameter and words."""
        self.needed_numbers = sum(p.required for p in self.numeric)

    @cached_property
    def numbers(self) -> list[tuple[int, int]]:
        """The places of the numbers among the words that are read, in order."""
        return self._heard({(quantity.start, quantity.end) for quantity in self.reading.quantities})

    @cached_property
    def chains(self) -> Mapping[tuple[int, int], tuple[tuple[int, int], ...]]:
        """For each number the enumeration that it stands in, as places: `10, 20 and 30 years` is one."""
        runs: list[list[tuple[int, int]]] = []
        for place in self.numbers:
            if runs and _JOINT.fullmatch(self.reading.text, runs[-1][-1][1], place[0]):
                runs[-1].append(place)
            else:
                runs.append([place])
        return {place: tuple(run) for run in runs for place in run}

    @cached_property
    def heads(self) -> list[tuple[int, int]]:
        """The first number of each enumeration, in order."""
        return [place for place in self.numbers if self.chains[place][0] == place]

    @cached_property
    def tuples(self) -> Mapping[tuple[int, int], int]:
        """For each number that is told in a group of as many as a call takes, its position there."""
        return tuples(self.reading, self.parameters)

    @cached_property
    def ordinals(self) -> int:
        """How many ordinals the request has: a series of them counts things, and none is a value."""
        return sum(source == "ordinal" for _, source in quantities(self.reading))

    @cached_property
    def quotations(self) -> list[tuple[int, int]]:
        return self._heard((quotation.start, quotation.end) for quotation in self.reading.quotations)

    @cached_property
    def moments(self) -> list[tuple[int, int]]:
        return self._heard(self.reading.moments)

    def _heard(self, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return sorted(place for place in places if self.reading.covered(*place)[0] >= 0)

    @cached_property
    def named(self) -> frozenset[str]:
        """The stems of all parameters' names."""
        return frozenset().union(*(p.name_stems for p in self.parameters))

    def fresh(self, stems: frozenset[str]) -> float:
        """How much of a description the request says, beyond the tool's own words."""
        return share(stems - self.tool_stems, self.reading.stems)

    @cached_property
    def asks(self) -> Mapping[Parameter, str]:
        """What form each parameter wants its text in: `date`, `any date`, `code`, or none."""
        return {parameter: _asks(parameter) for parameter in self.parameters}


def _asks(parameter: Parameter) -> str:
    if dates.asked(parameter):
        return "date"
    if dates.forms(parameter):
        return "any date"
    return "code" if codes.tables(parameter) else ""


def share(part: frozenset[str], whole: frozenset[str]) -> float:
    """How much of a part is in the whole; 0 of nothing."""
    return len(part & whole) / max(1, len(part))
