"""What stands in quotation marks, straight or curly, double or single, or between backticks. Linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A single mark between letters is an apostrophe, as in 'the king's speech'; looked for over 400 characters at most.
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”|(?<!\w)'(?=\S)([^\n]{1,400}?)(?<=\S)'(?!\w)|‘([^‘’]+)’|`([^`]+)`")


@dataclass(frozen=True)
class Quotation:
    """What stands between quotation marks, marks left out."""

    start: int
    end: int


def quotations(text: str) -> list[Quotation]:
    """In order; those of nothing but blanks left out."""
    found = (Quotation(match.start() + 1, match.end() - 1) for match in _QUOTED.finditer(text))
    return [quotation for quotation in found if text[quotation.start : quotation.end].strip()]


def quoted(text: str) -> list[str]:
    """The same as texts."""
    return [text[quotation.start : quotation.end] for quotation in quotations(text)]
