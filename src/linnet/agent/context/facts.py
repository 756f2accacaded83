"""Which sentences of a user's text state something that may matter later: found by their form, in English."""

from __future__ import annotations

import re

_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_ABOUT_ME = re.compile(
    r"\b(?:my|our)\b[^?]*\b(?:is|are|was|were|has|have)\b"
    r"|\b(?:i|we)(?:'m|'ve| am| are| was| were| have| had| live| like| love| hate| prefer| need| want| work| own| use"
    r"| bought| moved| grew| study| speak| eat| drive)\b"
    r"|\bcall me\b|\bremember\b|\bdon't forget\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_ASKS = re.compile(
    r"^(?:what|who|when|where|why|how|which|can|could|do|does|did|is|are|will|would|should|tell|explain|write|list"
    r"|please|give|show|help)\b",
    re.IGNORECASE,
)
LONGEST = 200
"""Characters of a sentence that is kept; what is longer is a passage, not a fact."""


def facts_in(text: str) -> list[str]:
    """The sentences, in order, that tell of the speaker or hold a number; questions and orders aside."""
    sentences = (sentence.strip() for sentence in _ENDS.split(text))
    return [sentence for sentence in sentences if 0 < len(sentence) <= LONGEST and _states(sentence)]


def _states(sentence: str) -> bool:
    if sentence.endswith("?") or _ASKS.match(sentence):
        return False
    return bool(_ABOUT_ME.search(sentence) or _NUMBER.search(sentence))
