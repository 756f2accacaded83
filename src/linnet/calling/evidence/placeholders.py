"""Placeholders that nobody filled, `{{name}}`: a template that was sent as it was written."""

from __future__ import annotations

import re

PLACEHOLDER = r"\{\{[^{}\n]{1,60}\}\}"
"""One, as a pattern."""
_FOUND = re.compile(PLACEHOLDER)
_SHOWN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"", re.DOTALL)


def placeholders(text: str) -> tuple[str, ...]:
    """Each once, in order; not those that a quotation or code shows."""
    return tuple(dict.fromkeys(_FOUND.findall(_SHOWN.sub(" ", text))))
