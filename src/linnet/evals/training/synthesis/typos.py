"""Slips of the fingers, in the words around the values."""

from __future__ import annotations

import random
import re

from linnet.evals.training.synthesis import marked

_WORD = re.compile(r"[A-Za-z']{4,}")
_NEAR = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopo" + "sdfghjklk" + "xcvbnmn", strict=True))
_SLACK = (("what's", "whats"), ("I'm", "im"), ("don't", "dont"), ("I'd", "id"), ("it's", "its"), ("can't", "cant"))
_SHORT = (("please", "pls"), ("you", "u"), ("for me", "4 me"), ("thanks", "thx"), ("people", "ppl"))


def slipped(text: str, draw: random.Random) -> str:
    """Marked text with one to three slips; the values stay as they are."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        text = _one(text, draw)
    return text


def _one(text: str, draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.35:
        known = [pair for pair in (*_SLACK, *_SHORT) if pair[0] in marked.around(text, str)]
        if known:
            old, new = draw.choice(known)
            return marked.around(text, lambda part: part.replace(old, new))
    return _slip(text, draw)


def _slip(text: str, draw: random.Random) -> str:
    """One word of the text, mistyped."""
    words = 0

    def count(part: str) -> str:
        nonlocal words
        words += len(_WORD.findall(part))
        return part

    marked.around(text, count)
    if not words:
        return text
    hit, seen = draw.randrange(words), 0

    def mistype(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return _mistyped(match.group(), draw) if seen - 1 == hit else match.group()

    return marked.around(text, lambda part: _WORD.sub(mistype, part))


def _mistyped(word: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(word) - 1)
    here, rest = word[place], word[place + 1 :]
    return word[:place] + draw.choice(
        (rest[0] + here + rest[1:], rest, here + here + rest, _NEAR.get(here, here) + rest)
    )
