"""Words of a text by their stems, and the options that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from linnet.calling.evidence.lexicon import COMMON, OTHER_FORMS
from linnet.calling.evidence.stems import stem

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """Content words, in lower case and reduced to a rough stem; camelCase and snake_case are taken apart."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    return [stem(w) for w in (m.group().lower() for m in _WORD.finditer(spaced)) if w not in COMMON]


def places_named(text: str, options: Sequence[str]) -> list[tuple[int, int, str]]:
    """`(start, end, option)` wherever the text names an option, in order."""
    found = list(_WORD.finditer(text))
    stems = [stem(match.group().lower()) for match in found]
    numbers: dict[str, list[int]] = {}
    for number, heard in enumerate(stems):
        numbers.setdefault(heard, []).append(number)
    places: list[tuple[int, int, str]] = []
    for option in options:
        wanted = [stem(word.lower()) for word in _WORD.findall(option.replace("_", " "))]
        for first in numbers.get(wanted[0], ()) if wanted else ():
            if stems[first : first + len(wanted)] == wanted:
                places.append((found[first].start(), found[first + len(wanted) - 1].end(), option))
        if other := OTHER_FORMS.get(option):
            places += [(*match.span(), option) for match in other.finditer(text)]
    return list(_outermost(places))


def _outermost(places: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """In order, without those inside a longer one: that comes before them, and reaches as far."""
    reach = -1
    for (_, end), same in groupby(sorted(places, key=lambda p: (p[0], -p[1])), key=lambda p: p[:2]):
        if end > reach:
            yield from same
        reach = max(reach, end)


def overlap(request: Iterable[str], described: Iterable[str]) -> float:
    """The share of the request's content words that the description has as well."""
    asked = set(request)
    return len(asked & set(described)) / max(1, len(asked))
