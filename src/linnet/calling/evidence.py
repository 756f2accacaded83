"""What a request itself says that an argument could be: numbers, named options, lists, quotations, names.

Pure text work, linear in the request. Nothing here decides; `fill` weighs what is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linnet.calling.lexicon import COMMON, NEGATIVE, OTHER_FORMS, PARTICLES, SCALES, SMALL, SPECIAL
from linnet.calling.moments import moments

# Not inside a word or an exponent; thousands separators, a power of ten and a scale word belong to it.
_SCALE = r"(?:\s*(?:hundred|thousand|million|billion)\b)?"
_DIGITS = rf"(?<![\w.^])[-−]?[$€£]?\d+(?:,\d{{3}})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\d^]){_SCALE}"
_NUMBER_WORD = r"\b(?:" + "|".join([*SMALL, *SCALES, *SPECIAL]) + r")\b"
_SPELLED = rf"{_NUMBER_WORD}(?:(?:[\s-]+|\s+and\s+)(?!half|quarter){_NUMBER_WORD})*"
_FRACTION = re.compile(r"\s+and\s+(?:a\s+)?(half|quarter)\b", re.IGNORECASE)
_BELOW_ZERO = re.compile(r"\b(?:minus|negative)\s+\Z", re.IGNORECASE)
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})|(?P<spelled>{_SPELLED})", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


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
    taken = [(start, end) for start, end in moments(text) if not re.match(r"\D*\d+\s+\D*$", text[start:end])]
    found = []
    for match in _NUMBER.finditer(text):
        if any(start <= match.start() < end for start, end in taken):
            continue
        value = _digits(match["digits"]) if match["digits"] else _spelled(match["spelled"])
        start, end = match.span()
        if below := _BELOW_ZERO.search(text[max(0, start - 12) : start]):
            value, start = -value, start - len(below.group())
        if fraction := _FRACTION.match(text, end):
            value, end = value + SPECIAL[fraction[1].lower()], fraction.end()
        percent = bool(re.match(r"\s*(?:%|per\s?cent\b)", text[end:], re.IGNORECASE))
        found.append(Quantity(value, start, end, percent, bool(match["spelled"])))
    return tuple(found)


def _digits(text: str) -> float:
    number, _, scale = re.sub(r"[,$€£]", "", text.replace("−", "-")).strip().partition(" ")
    if not scale and (glued := re.fullmatch(r"(.*\d)([a-z]{4,})", number, re.IGNORECASE)):
        number, scale = glued.groups()
    return float(number) * SCALES.get(scale.strip().lower(), 1.0)


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
    inside = [p for p in places if any(o[0] <= p[0] and p[1] <= o[1] and o[1] - o[0] > p[1] - p[0] for o in places)]
    return sorted((p for p in places if p not in inside), key=lambda p: p[:2])


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]


def paths(text: str) -> list[str]:
    """Words that are written as files or folders: with a separator inside, or with an ending."""
    return re.findall(r"(?<![\w@])(?:[\w.~-]*/[\w./-]*\w|[\w-]+\.(?!\d)\w{1,5})(?![\w@])", text)


def names(text: str, taken: Iterable[tuple[int, int]] = ()) -> list[str]:
    """Runs of capitalised words that do not begin a sentence, and do not stand in a place that is taken."""
    places = list(taken)
    found = re.finditer(r"(?<![.!?]\s)(?<=\s)[A-Z][\w'’&.-]*(?:\s+(?:of|de|la|the|&)?\s*[A-Z][\w'’&-]*)*", text)
    free = (m for m in found if m.group() != "I" and not any(a < m.end() and m.start() < b for a, b in places))
    return [match.group().rstrip(".,;:!?'’") for match in free]


def placed_names(text: str) -> list[str]:
    """Names that follow a preposition: `Walmart` in `for Walmart`."""
    return [n for n in names(text) if re.search(rf"\b(?:at|from|in|for|with|by|via|on)\s+{re.escape(n)}", text)]


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
    for sentence in re.split(r"(?<=[.!?;])\s+|:\s+", text):
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
    known, places = set(explained), list(taken)
    runs: list[list[re.Match[str]]] = [[]]
    for word in re.finditer(r"\S+", text):
        core = _WORD.search(word.group())
        used = any(start <= word.start() < end for start, end in places)
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
        return not bare or bare in COMMON

    while run and empty(run[0]):
        run = run[1:]
    while run and empty(run[-1]) and run[-1].group().strip(_PUNCTUATION).lower() not in PARTICLES:
        run = run[:-1]
    if len(run) == 1 and run[0].start() == 0:
        return ""  # what a request begins with is its verb
    return text[run[0].start() : run[-1].end()].strip(_PUNCTUATION) if run else ""


_PUNCTUATION = " \t\n.,;:!?\"'()[]{}“”"


def overlap(request: Iterable[str], described: Iterable[str]) -> float:
    """The share of the request's content words that the description has as well."""
    asked = set(request)
    return len(asked & set(described)) / max(1, len(asked))
