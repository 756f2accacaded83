"""Numbers in a text, in digits or in words, with their signs, fractions, scales and per cents. Linear in the text."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from linnet.calling.evidence.lexicon import SCALES, SMALL, SPECIAL
from linnet.calling.evidence.moments import moments

# Not inside a word or an exponent; thousands separators, a power of ten and a scale word belong to it.
_SCALE = r"(?:\s*(?:hundred|thousand|million|billion)\b)?"
_POWER = r"(?:\s?[x×*·]\s?10\s?(?:\^|\*\*)\s?\(?[-−+]?\d+\)?)"
_DIGITS = (
    r"(?<![\w.^])[-−]?[$€£]?\d+(?:,\d{3})*(?:\.\d+)?"
    rf"(?:{_POWER}|(?:e[-+]?\d+)?(?:(?-i:[kKM]|bn)(?![\w^]))?(?![\d^]){_SCALE})"
)
_NUMBER_WORD = r"\b(?:" + "|".join([*SMALL, *SCALES, *SPECIAL]) + r")\b"
_SPELLED = rf"{_NUMBER_WORD}(?:(?:[\s-]+|\s+and\s+)(?!half|quarter){_NUMBER_WORD})*"
_FRACTION = re.compile(r"\s+and\s+(?:a\s+)?(half|quarter)\b", re.IGNORECASE)
_BELOW_ZERO = re.compile(r"\b(?:minus|negative)\s+\Z", re.IGNORECASE)
_TERM = r"(?:\d[xyz](?:\^\d+|\*\*\d+|[²³])?|(?<![^\W\d])[xyz](?:\^\d+|\*\*\d+|[²³]))"
_TAKEN_AWAY = re.compile(rf"{_TERM}\s*[-−]\s+\Z", re.IGNORECASE)
"""Behind a term of a polynomial, which a letter alone is not: `axis X - 20 degrees`."""
_TEN_TO = re.compile(r"\s?[x×*·]\s?10\D*?([-+]?\d+)\)?\Z", re.IGNORECASE)
_SCALED = re.compile(r"[a-z]{4,}\Z", re.IGNORECASE)
_SHORT_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "bn": 1e9}
_SHORT_SCALE = re.compile(r"(?<=\d)(?:[kKM]|bn)\Z")
_PERCENT = re.compile(r"\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_LENGTH_OF_TIME = re.compile(r"\D*\d+\s\D*")
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})|(?P<spelled>{_SPELLED})", re.IGNORECASE)


class Places:
    """Places of a text, merged and in order, so that a question takes the logarithm of their number."""

    def __init__(self, places: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(places):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def meet(self, start: int, end: int) -> bool:
        before = bisect_left(self._starts, end)
        return before > 0 and self._ends[before - 1] > start


@dataclass(frozen=True)
class Quantity:
    """A number that the text names: its value, where it stands, whether a per cent sign follows, and whether
    it is spelled out (a word such as `two` is often no quantity at all)."""

    value: float
    start: int
    end: int
    percent: bool = False
    spelled: bool = False


def numbers(text: str) -> tuple[Quantity, ...]:
    """Numbers in digits or words, in order; those that are part of a time of day or a date are left out, and
    those that no float holds."""
    taken = Places(place for place in moments(text) if not _LENGTH_OF_TIME.fullmatch(text, *place))
    found: list[Quantity] = []
    for match in _NUMBER.finditer(text):
        if taken.meet(match.start(), match.start() + 1) or (found and match.start() < found[-1].end):
            continue
        value = _digits(match["digits"]) if match["digits"] else _spelled(match["spelled"])
        start, end = match.span()
        if below := _BELOW_ZERO.search(text[max(0, start - 12) : start]):
            value, start = -value, start - len(below.group())
        elif _TAKEN_AWAY.search(text[max(0, start - 12) : start]):
            value = -value  # the 7 of `5x^2 - 7x`
        if fraction := _FRACTION.match(text, end):
            value, end = value + SPECIAL[fraction[1].lower()], fraction.end()
        if math.isfinite(value):
            found.append(Quantity(value, start, end, bool(_PERCENT.match(text, end)), bool(match["spelled"])))
    return tuple(found)


def _digits(text: str) -> float:
    number, scale = re.sub(r"[,$€£]", "", text.replace("−", "-")), 1.0
    if power := _TEN_TO.search(number):
        return float(f"{number[: power.start()]}e{power[1]}")
    if short := _SHORT_SCALE.search(number):
        number, scale = number[: short.start()], _SHORT_SCALES[short.group()]
    elif word := _SCALED.search(number):
        number, scale = number[: word.start()], SCALES.get(word.group().lower(), 1.0)
    value = float(number)
    return value if scale == 1 else round(value * scale, 6)  # 8.2 million would be 8199999.999999999


def _spelled(text: str) -> float:
    """English number words: units add up, a scale multiplies what came before it."""
    total = current = 0.0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in SMALL:
            current += SMALL[word]
        elif word == "hundred" or word in SPECIAL:
            current = max(current, 1.0) * (SPECIAL.get(word) or 100)
        elif word in SCALES:
            total, current = total + max(current, 1.0) * SCALES[word], 0.0
    return total + current
