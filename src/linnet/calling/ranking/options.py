"""Candidates where the schema names options, or for yes or no: all of them, with the words that name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from linnet.calling.evidence import codes
from linnet.calling.evidence.naming import places_named
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate

_Places = dict[str, tuple[int, int]]
"""Where the text names an option, by the option."""


def options(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Every option, `named` by the request or not."""
    values = list(parameter.schema["enum"])
    names = [str(value) for value in values]
    places = {**_meant(parameter, reading), **_coded(parameter, names, reading), **_named(names, reading)}
    for value, name in zip(values, names, strict=True):
        if name in places:
            yield Candidate(value, "named", *reading.covered(*places[name]))
        else:
            yield Candidate(value, "option")


def booleans(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Yes and no."""
    yield Candidate(True, "yes")
    yield Candidate(False, "no")


def _named(names: Sequence[str], reading: Reading) -> _Places:
    """Options that the request names, each at its first place."""
    return {name: (start, end) for start, end, name in reversed(places_named(reading.text, names))}


def _coded(parameter: Parameter, names: Sequence[str], reading: Reading) -> _Places:
    """Options that are codes of what the request calls by name: `fr` where it says French."""
    wanted = [table for table in codes.TABLES if table in parameter.path[-1].lower()]
    if not wanted or not all(len(name) in (2, 3) for name in names):
        return {}
    known = {name.lower(): name for name in reversed(names)}
    found: _Places = {}
    for word in reading.words:
        for table, long in product(wanted, (False, True)):
            code = (codes.code(word.text, table, long) or "").lower()
            if code in known:
                found.setdefault(known[code], (word.start, word.end))
    return found


def _meant(parameter: Parameter, reading: Reading) -> _Places:
    """Options whose meaning the description tells, where the request says all that sets it apart."""
    found: _Places = {}
    for value, meaning in parameter.legend.items():
        if meaning <= reading.stems:
            word = next(word for word in reading.words if word.stem in meaning)
            found[value] = (word.start, word.end)
    return found
