"""Values that a request, a schema or a description offers for a parameter.

Generous on purpose: what is right must be among them, and `features` tells the ranker how good each one is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import OMITTED, Candidate
from linnet.calling.ranking.lists import lists
from linnet.calling.ranking.literals import literals
from linnet.calling.ranking.numbers import numbers
from linnet.calling.ranking.options import booleans, options
from linnet.calling.ranking.texts import texts

__all__ = ["MOST", "OMITTED", "Candidate", "candidates"]

MOST = 600
"""Candidates of one parameter that are made from the request."""


def candidates(parameter: Parameter, reading: Reading) -> list[Candidate]:
    """What could be the argument, `OMITTED` included where the schema allows that."""
    make = _MAKERS.get(parameter.type, texts)
    said = [*islice(make(parameter, reading), MOST), *_told(parameter, reading)]
    return [*said, *_unsaid(parameter, said)]


def _told(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Values whose meaning the description tells and the request names."""
    for value, meaning in parameter.legend.items():
        places = [i for i, word in enumerate(reading.words) if word.stem in meaning]
        if not places or not meaning <= reading.stems:
            continue
        if parameter.type == "number" and re.fullmatch(r"-?\d+", value):
            last = places[-1] if len(places) == len(meaning) else places[0]
            yield Candidate(int(value), "legend", places[0], last)
        elif parameter.type == "string":
            yield Candidate(value, "legend", places[0], places[0])


def _unsaid(parameter: Parameter, said: Sequence[Candidate]) -> Iterator[Candidate]:
    """What holds when the request says nothing: the default, and no argument at all."""
    if parameter.default is not None and all(c.value != parameter.default for c in said if not c.covers):
        yield Candidate(parameter.default, "default")
    if not parameter.required:
        yield Candidate(OMITTED, "omitted")


def _const(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    yield Candidate(parameter.schema["const"], "const")


def _objects(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    return literals(reading, dict)


_MAKERS: dict[str, Callable[[Parameter, Reading], Iterator[Candidate]]] = {
    "number": numbers,
    "options": options,
    "boolean": booleans,
    "const": _const,
    "array": lists,
    "object": _objects,
}
"""Makers by the parameter's type; all other types take text."""
