"""Candidates for a number: plain ones, in the unit that is asked for, per cents, ordinals, and those inside phrases
of time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from linnet.calling.evidence import units
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.quantities import Places, Quantity
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate

_ORDINAL = re.compile(r"(?<!\d)(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_ORDINALS = {
    word: number
    for number, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), start=1)
}
_MONTHS = "january february march april may june july august september october november december".split()
_KELVIN = ("kelvin", "degC", "degF")
_ANY_NUMBER = re.compile(r"(?<![\w.^])\d+(?:\.\d+)?(?!\w)")


def numbers(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Every number of the words that are read, and what a per cent is as a fraction of one."""
    asked = units.wanted(parameter)
    for quantity, source in quantities(reading):
        first, last = reading.covered(quantity.start, quantity.end)
        worth = in_unit(parameter, quantity, reading, asked) if source == "number" else quantity
        for value, kind in _worths(parameter, worth, source):
            if first >= 0 and fits(parameter, value):
                yield Candidate(whole(value), kind, first, last, quantity)


def quantities(reading: Reading) -> list[tuple[Quantity, str]]:
    """All numbers, in order, with what they were read from: `number`, `ordinal`, `month` or `dated`."""
    found = [(quantity, "number") for quantity in reading.quantities]
    found += [(quantity, "ordinal") for quantity in _ordinals(reading)]
    found += [(quantity, "dated") for quantity in _dated(reading)]
    found += [(quantity, "month") for quantity in _months(reading)]
    return sorted((pair for pair in found if math.isfinite(pair[0].value)), key=lambda pair: pair[0].start)


def _ordinals(reading: Reading) -> Iterator[Quantity]:
    for match in _ORDINAL.finditer(reading.text):
        yield Quantity(float(match[1]), *match.span())
    for word in reading.words:
        if word.lower in _ORDINALS:
            yield Quantity(_ORDINALS[word.lower], word.start, word.end, spelled=True)


def _months(reading: Reading) -> Iterator[Quantity]:
    for word in reading.words:
        if word.capital and word.lower in _MONTHS:
            yield Quantity(_MONTHS.index(word.lower) + 1, word.start, word.end, spelled=True)


def _dated(reading: Reading) -> Iterator[Quantity]:
    """Numbers inside phrases of time, where they are none by themselves."""
    taken = Places((quantity.start, quantity.end) for quantity in reading.quantities)
    for start, end in reading.moments:
        for match in _ANY_NUMBER.finditer(reading.text, start, end):
            if not taken.meet(*match.span()):
                yield Quantity(float(match.group()), *match.span())


def in_unit(parameter: Parameter, quantity: Quantity, reading: Reading, asked: str) -> Quantity:
    """The quantity in the unit that is asked for, where it has another one behind it."""
    if asked in _KELVIN and reading.text[quantity.start : quantity.end].endswith("K"):
        kelvins = replace(quantity, value=quantity.value / 1000, end=quantity.end - 1)  # 298K are no thousands
        return in_unit(parameter, kelvins, reading, asked)
    value = units.worth(quantity.value, reading.text, quantity.end, asked)
    return quantity if value is None or not fits(parameter, value) else replace(quantity, value=value)


def _worths(parameter: Parameter, quantity: Quantity, source: str) -> Iterator[tuple[float, str]]:
    yield quantity.value, source
    if quantity.percent and "percent" not in parameter.path[-1].lower():
        yield fraction(quantity), "fraction"


def fraction(quantity: Quantity) -> float:
    """A per cent as a fraction of one, without the noise of a binary division."""
    return round(quantity.value / 100, 12)


def fits(parameter: Parameter, value: float) -> bool:
    """Whether a number is one that the parameter's type allows."""
    return not parameter.integer or float(value).is_integer()


def whole(value: float) -> int | float:
    """An integer where a float stands for one exactly."""
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value
