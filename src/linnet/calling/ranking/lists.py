"""Candidates for a parameter that takes a list: JSON, runs of numbers, named options, quotations, enumerations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from linnet.calling.evidence.naming import places_named
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.quantities import Quantity
from linnet.calling.evidence.quotations import Quotation
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate, standing
from linnet.calling.ranking.enumerations import enumerations
from linnet.calling.ranking.literals import literals
from linnet.calling.ranking.numbers import fits, fraction, quantities, whole
from linnet.calling.ranking.spans import spans

_BETWEEN_NUMBERS = re.compile(r"[\s,;%$€£]*(?:(?:and|or|to|&)[\s$€£]*)?")
_BETWEEN_QUOTATIONS = re.compile(r"[\s,;]*(?:(?:and|or)\s+)?")


def lists(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Lists of what the parameter's elements are."""
    floats = parameter.element.type == "number" and not parameter.element.integer
    for literal in literals(reading, list):
        yield replace(literal, value=_floats(literal.value)) if floats else literal
    if make := _MAKERS.get(parameter.element.type):
        yield from make(parameter.element, reading)


def _floats(values: list[Any]) -> list[Any]:
    """Whole numbers as the floats that a schema wants."""
    return [float(value) if type(value) is int else value for value in values]


def _numbers(element: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Runs of numbers, each alone where it stands alone, and all numbers together."""
    usable = [q for q, source in quantities(reading) if source == "number" and fits(element, q.value)]
    runs = _runs(reading, usable)
    for run in runs:
        yield from _number_list(element, reading, run, "run" if len(run) > 1 else "one")
    if len(runs) > 1:
        yield from _number_list(element, reading, usable, "numbers")


def _runs(reading: Reading, found: Sequence[Quantity]) -> list[list[Quantity]]:
    """Numbers with nothing but commas, signs and `and` between them."""
    runs: list[list[Quantity]] = []
    for quantity in found:
        if runs and _BETWEEN_NUMBERS.fullmatch(reading.text, runs[-1][-1].end, quantity.start):
            runs[-1].append(quantity)
        else:
            runs.append([quantity])
    return runs


def _number_list(element: Parameter, reading: Reading, run: Sequence[Quantity], source: str) -> Iterator[Candidate]:
    start, end = run[0].start, run[-1].end
    form = whole if element.integer else float
    yield from standing([form(quantity.value) for quantity in run], source, reading, start, end)
    if not element.integer and all(quantity.percent for quantity in run):
        yield from standing([fraction(quantity) for quantity in run], "fractions", reading, start, end)


def _options(element: Parameter, reading: Reading) -> Iterator[Candidate]:
    """All options that the request names, in its order."""
    options = {str(option): option for option in element.schema["enum"]}
    named = places_named(reading.text, list(options))
    if named:
        names = dict.fromkeys(name for _, _, name in named)
        yield from standing([options[name] for name in names], "named", reading, named[0][0], named[-1][1])


def _texts(element: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Quotations, enumerations, and single runs of words as lists of one."""
    for run in _quoted(reading):
        values = [reading.text[quotation.start : quotation.end].strip() for quotation in run]
        source = "quotations" if len(values) > 1 else "quotation"
        yield from standing(values, source, reading, run[0].start, run[-1].end)
    yield from enumerations(reading)
    for first, last in spans(reading):
        yield Candidate([reading.phrase(first, last)], "single", first, last)


def _quoted(reading: Reading) -> list[list[Quotation]]:
    """Quotations with nothing but commas and `and` between them; and all of them together."""
    runs: list[list[Quotation]] = []
    for quotation in reading.quotations:
        if runs and _BETWEEN_QUOTATIONS.fullmatch(reading.text, runs[-1][-1].end + 1, quotation.start - 1):
            runs[-1].append(quotation)
        else:
            runs.append([quotation])
    return runs if len(runs) < 2 else [*runs, reading.quotations]


_MAKERS: dict[str, Callable[[Parameter, Reading], Iterator[Candidate]]] = {
    "number": _numbers,
    "options": _options,
    "string": _texts,
    "any": _texts,
}
"""Makers by the type of the elements; of other types there are only literals."""
