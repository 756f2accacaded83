"""A rough English stem, so that `prices`, `priced` and `pricing` meet."""

from __future__ import annotations

_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "ed", "es", "er", "ly", "s", "y", "e")


def stem(word: str) -> str:
    """`word` without the first of the usual endings that leaves three letters or more."""
    for ending in ("'s", "’s"):
        word = word.removesuffix(ending)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
