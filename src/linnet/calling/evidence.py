"""What a request itself says that an argument could be: numbers, named options, lists, quotations, names.

Pure text work, linear in the request. Nothing here decides; `fill` weighs what is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: float(i) for i, word in enumerate(_UNITS)} | {w: 20.0 + 10 * i for i, w in enumerate(_TENS)}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SPECIAL = {"dozen": 12.0, "half": 0.5, "quarter": 0.25, "couple": 2.0, "pair": 2.0}
_MONTHS = "january february march april may june july august september october november december".split()

# Not inside a word or an exponent; thousands separators, a power of ten and a scale word belong to it.
_DIGITS = r"(?<![\w.^])[-−]?[$€£]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\d^])(?:\s*(?:hundred|thousand|million|billion)\b)?"
_NUMBER_WORD = r"\b(?:" + "|".join([*_SMALL, *_SCALES, *_SPECIAL]) + r")\b"
_SPELLED = rf"{_NUMBER_WORD}(?:(?:[\s-]+|\s+and\s+){_NUMBER_WORD})*"
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})|(?P<spelled>{_SPELLED})", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}(?::\d{2})?\s*(?:am|pm|a\.m\.|p\.m\.|o'clock)\b|\d{1,2}:\d{2}", re.IGNORECASE)
_DATE = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}|\b(?:{'|'.join(_MONTHS)})\s+\d{{1,2}}(?:st|nd|rd|th)?\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

COMMON = frozenset(
    "a an the and or of to in on at for from by with without into onto as is are was were be been being do does did "
    "can could will would shall should may might must i me my we us our you your he she it its they them their this "
    "that these those there here what which who whom whose when where why how please just also some any all each "
    "every not no so if then than too very much many more most get give find tell let make want need like have has "
    "had hey hi hello thanks thank using use about up out".split()
)
"""Words that say nothing about which tool or argument is meant."""


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
    """Numbers in digits or words, in order; those that are part of a time of day or a date are left out."""
    taken = [m.span() for pattern in (_CLOCK, _DATE) for m in pattern.finditer(text)]
    found = []
    for match in _NUMBER.finditer(text):
        if any(start <= match.start() < end for start, end in taken):
            continue
        value = _digits(match["digits"]) if match["digits"] else _spelled(match["spelled"])
        percent = bool(re.match(r"\s*(?:%|per\s?cent\b)", text[match.end() :], re.IGNORECASE))
        found.append(Quantity(value, match.start(), match.end(), percent, bool(match["spelled"])))
    return tuple(found)


def _digits(text: str) -> float:
    number, _, scale = re.sub(r"[,$€£]", "", text.replace("−", "-")).strip().partition(" ")
    if not scale and (glued := re.fullmatch(r"(.*\d)([a-z]{4,})", number, re.IGNORECASE)):
        number, scale = glued.groups()
    return float(number) * _SCALES.get(scale.strip().lower(), 1.0)


def _spelled(text: str) -> float:
    """English number words: units add up, a scale multiplies what came before it."""
    total = current = 0.0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _SMALL:
            current += _SMALL[word]
        elif word == "hundred" or word in _SPECIAL:
            current = max(current, 1.0) * (_SPECIAL.get(word) or 100)
        elif word in _SCALES:
            total, current = total + max(current, 1.0) * _SCALES[word], 0.0
    return total + current


def words(text: str) -> list[str]:
    """Content words, in lower case and reduced to a rough stem; camelCase and snake_case are taken apart."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    return [stem(w) for w in (m.group().lower() for m in _WORD.finditer(spaced)) if w not in COMMON]


def stem(word: str) -> str:
    """A rough English stem: enough for `prices`, `priced` and `pricing` to meet."""
    for ending in ("'s", "’s"):
        word = word.removesuffix(ending)
    for ending in ("ations", "ation", "ings", "ing", "ies", "ers", "ed", "es", "er", "ly", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def named(text: str, options: Sequence[str]) -> list[str]:
    """Options that the text names, in the order they are named; longer names win over their parts.

    An option is named by its own words, in any case, singular or plural.
    """
    stems = [(stem(m.group().lower()), m.start()) for m in _WORD.finditer(text)]
    places: list[tuple[int, int, str]] = []
    for option in options:
        wanted = [stem(w.lower()) for w in _WORD.findall(option.replace("_", " "))]
        if not wanted:
            continue
        for i in range(len(stems) - len(wanted) + 1):
            if [s for s, _ in stems[i : i + len(wanted)]] == wanted:
                places.append((i, i + len(wanted), option))
    kept = [p for p in places if not any(o[0] <= p[0] and p[1] <= o[1] and o[1] - o[0] > p[1] - p[0] for o in places)]
    return list(dict.fromkeys(option for _, _, option in sorted(kept, key=lambda p: p[0])))


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]


def names(text: str) -> list[str]:
    """Runs of capitalised words that do not begin a sentence."""
    found = re.finditer(r"(?<![.!?]\s)(?<=\s)[A-Z][\w'’&.-]*(?:\s+(?:of|de|la|the|&)?\s*[A-Z][\w'’&-]*)*", text)
    return [match.group().rstrip(".,;:!?'’") for match in found if match.group() != "I"]


_JOIN = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|plus|&)\s+", re.IGNORECASE)


def listed(text: str) -> list[str]:
    """The pieces between the commas and `and`s of the longest enumeration; fewer than two when there is none.

    The first piece still has what leads to the list, and the last what follows it.
    """
    best: list[str] = []
    for sentence in re.split(r"(?<=[.!?;])\s+|:\s+", text):
        pieces = [p.strip(" .!?") for p in _JOIN.split(sentence)]
        if len(pieces) > len(best) and all(pieces):
            best = pieces
    return best


def overlap(request: Iterable[str], described: Iterable[str]) -> float:
    """The share of the request's content words that the description has as well."""
    asked = set(request)
    return len(asked & set(described)) / max(1, len(asked))
