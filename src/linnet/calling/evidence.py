"""What a request itself says that an argument could be: numbers, named options, lists, quotations, names.

Pure text work, linear in the request. Nothing here decides; `fill` weighs what is found.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, groupby

from linnet.calling.lexicon import COMMON, NEGATIVE, OTHER_FORMS, PARTICLES, SCALES, SMALL, SPECIAL
from linnet.calling.moments import moments
from linnet.calling.stems import stem

# Not inside a word or an exponent; thousands separators, a power of ten and a scale word belong to it.
_SCALE = r"(?:\s*(?:hundred|thousand|million|billion)\b)?"
_DIGITS = rf"(?<![\w.^])[-−]?[$€£]?\d+(?:,\d{{3}})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\d^]){_SCALE}"
_NUMBER_WORD = r"\b(?:" + "|".join([*SMALL, *SCALES, *SPECIAL]) + r")\b"
_SPELLED = rf"{_NUMBER_WORD}(?:(?:[\s-]+|\s+and\s+)(?!half|quarter){_NUMBER_WORD})*"
_FRACTION = re.compile(r"\s+and\s+(?:a\s+)?(half|quarter)\b", re.IGNORECASE)
_BELOW_ZERO = re.compile(r"\b(?:minus|negative)\s+\Z", re.IGNORECASE)
_SCALED = re.compile(r"[a-z]{4,}\Z", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_LENGTH_OF_TIME = re.compile(r"\D*\d+\s\D*")
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})|(?P<spelled>{_SPELLED})", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class _Places:
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
    taken = _Places(place for place in moments(text) if not _LENGTH_OF_TIME.fullmatch(text, *place))
    found: list[Quantity] = []
    for match in _NUMBER.finditer(text):
        if taken.meet(match.start(), match.start() + 1) or (found and match.start() < found[-1].end):
            continue
        value = _digits(match["digits"]) if match["digits"] else _spelled(match["spelled"])
        start, end = match.span()
        if below := _BELOW_ZERO.search(text[max(0, start - 12) : start]):
            value, start = -value, start - len(below.group())
        if fraction := _FRACTION.match(text, end):
            value, end = value + SPECIAL[fraction[1].lower()], fraction.end()
        if math.isfinite(value):
            found.append(Quantity(value, start, end, bool(_PERCENT.match(text, end)), bool(match["spelled"])))
    return tuple(found)


def _digits(text: str) -> float:
    number, scale = re.sub(r"[,$€£]", "", text.replace("−", "-")), 1.0
    if word := _SCALED.search(number):
        number, scale = number[: word.start()], SCALES.get(word.group().lower(), 1.0)
    return float(number) * scale


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


def words(text: str) -> list[str]:
    """Content words, in lower case and reduced to a rough stem; camelCase and snake_case are taken apart."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    return [stem(w) for w in (m.group().lower() for m in _WORD.finditer(spaced)) if w not in COMMON]


def named(text: str, options: Sequence[str]) -> list[str]:
    """Options that the text names, in the order they are named; longer names win over their parts.

    An option is named by its own words, in any case, singular or plural, or by a usual other form of it.
    """
    return list(dict.fromkeys(option for _, _, option in places_named(text, options)))


def places_named(text: str, options: Sequence[str]) -> list[tuple[int, int, str]]:
    """`(start, end, option)` wherever the text names an option, in order."""
    found = list(_WORD.finditer(text))
    stems = [stem(m.group().lower()) for m in found]
    places: list[tuple[int, int, str]] = []
    for option in options:
        wanted = [stem(w.lower()) for w in _WORD.findall(option.replace("_", " "))]
        for i in range(len(stems) - len(wanted) + 1 if wanted else 0):
            if stems[i : i + len(wanted)] == wanted:
                places.append((found[i].start(), found[i + len(wanted) - 1].end(), option))
        if other := OTHER_FORMS.get(option):
            places += [(*m.span(), option) for m in other.finditer(text)]
    return list(_outermost(places))


def _outermost(places: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """In order, without those inside a longer one: that comes before them, and reaches as far."""
    reach = -1
    for (_, end), same in groupby(sorted(places, key=lambda p: (p[0], -p[1])), key=lambda p: p[:2]):
        if end > reach:
            yield from same
        reach = max(reach, end)


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]


def paths(text: str) -> list[str]:
    """Words that are written as files or folders: with a separator inside, or with an ending."""
    written = (match.group().rstrip("./~-") for match in re.finditer(r"[\w.~/@-]+", text))
    return [word for word in written if "@" not in word and ("/" in word or _FILE.fullmatch(word))]


_FILE = re.compile(r"(?:[\w-]+\.)+(?!\d)\w{1,5}")


def names(text: str, taken: Iterable[tuple[int, int]] = ()) -> list[str]:
    """Runs of capitalised words that do not begin a sentence, and do not stand in a place that is taken."""
    places = _Places(taken)
    return [name for start, end, name in _names(text) if not places.meet(start, end)]


def _names(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _NAME.finditer(text):
        if match.group() != "I":
            yield *match.span(), match.group().rstrip(".,;:!?'’")


_NAME = re.compile(
    r"(?<![.!?]\s)(?<=\s)[A-Z][\w'’&.-]*(?:\s+(?:(?:of|de|la|the|&)\s*)?[A-Z][\w'’&-]*)*",
)
_PLACED = re.compile(r"\b(?:at|from|in|for|with|by|via|on)\s+\Z")


def placed_names(text: str) -> list[str]:
    """Names that follow a preposition: `Walmart` in `for Walmart`."""
    return [name for start, _, name in _names(text) if _PLACED.search(text[max(0, start - 12) : start])]


def phrase_with(text: str, noun: str) -> str:
    """The phrase after a preposition that ends in `noun`: `hardware store` in `at the hardware store`."""
    head = re.escape(noun.replace("_", " "))
    found = re.search(
        rf"\b(?:at|from|in|for|to|on|with)\s+(?:the\s+|an?\s+|my\s+)?((?:[\w'’-]+\s+){{1,3}}?{head})\b",
        text,
        re.I,
    )
    return found[1] if found else ""


_JOIN = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|plus|&)\s+", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|them|they|these|those|that|this|he|she|we|you)\b", re.IGNORECASE)
_AFTER = re.compile(
    r"(?:^|\s+)(?:at|from|on|onto|to|into|for|in|with|by|should|must|can|could|will|would|is|are|please)\b",
    re.IGNORECASE,
)


def listed(text: str) -> list[str]:
    """The pieces between the commas and `and`s of the longest enumeration; a single piece when there is none.

    The first piece still has what leads to the list; each is cut off where a preposition or an auxiliary
    leads on. A piece with a pronoun in it, or with nothing left, is another clause and ends the list.
    """
    best: list[str] = []
    for sentence in re.split(r"(?<=[.!?;]) |: ", " ".join(text.split())):
        pieces: list[str] = []
        for piece in _JOIN.split(sentence.strip(" .!?")):
            item = piece.strip() if not pieces else _AFTER.split(piece.strip())[0].strip()
            if not item or (pieces and _PRONOUN.search(item)):
                break
            pieces.append(item)
        best = pieces if len(pieces) > len(best) else best
    return best if len(best) != 1 else [_cut(best[0])]


def _cut(piece: str) -> str:
    """A piece up to the last preposition or auxiliary that leads on from it, but for one that it begins with."""
    places = [match.start() for match in _AFTER.finditer(piece) if match.start() > 0]
    return piece[: places[0]] if places else piece


def affirmed(text: str) -> bool:
    """Whether a yes-or-no is meant as yes: people say what they want, and mark what they do not."""
    return NEGATIVE.search(text) is None


_BREAK = re.compile(r"[.;:!?](?=\s|$)|,|\n")


def residues(text: str, explained: Iterable[str], taken: Iterable[tuple[int, int]]) -> list[str]:
    """What is left of a request when everything explained is gone: runs of words, function words trimmed off.

    `explained` are stems (of the tool's own words), `taken` places whose text was used for something else.
    """
    known, places = set(explained), _Places(taken)
    runs: list[list[re.Match[str]]] = [[]]
    for word in re.finditer(r"\S+", text):
        core = _WORD.search(word.group())
        used = places.meet(word.start(), word.start() + 1)
        gone = used or (core is not None and stem(core.group().lower()) in known)
        if gone and runs[-1]:
            runs.append([])
        elif not gone:
            runs[-1].append(word)
        if _BREAK.search(word.group()[-1:]):
            runs.append([])
    return [left for run in runs if (left := _trimmed(text, run))]


def _trimmed(text: str, run: list[re.Match[str]]) -> str:
    """A run without the function words and the punctuation at its edges; empty when nothing else is in it."""

    def empty(word: re.Match[str]) -> bool:
        bare = re.split("['’]", word.group().strip(_PUNCTUATION).lower())[0]
        return _WORD.search(bare) is None or bare in COMMON

    run = list(dropwhile(empty, run))
    while run and empty(run[-1]) and run[-1].group().strip(_PUNCTUATION).lower() not in PARTICLES:
        run.pop()
    if len(run) == 1 and run[0].start() == 0:
        return ""  # what a request begins with is its verb
    return text[run[0].start() : run[-1].end()].strip(_PUNCTUATION) if run else ""


_PUNCTUATION = " \t\n.,;:!?\"'()[]{}“”"


def overlap(request: Iterable[str], described: Iterable[str]) -> float:
    """The share of the request's content words that the description has as well."""
    asked = set(request)
    return len(asked & set(described)) / max(1, len(asked))
