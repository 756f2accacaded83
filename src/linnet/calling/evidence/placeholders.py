"""Placeholders that nobody filled, `{{name}}`: a template that was sent as it was written."""

from __future__ import annotations

import re

PLACEHOLDER = r"(?<![\\$}\w])\{\{[^{}\n]{1,60}\}\}"
"""One, as a pattern; behind a word, a brace or a dollar it is LaTeX or a script: `\\frac{{a}}{{b}}`, `${{ x }}`."""
_FOUND = re.compile(PLACEHOLDER)
_SHOWN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"", re.DOTALL)


def placeholders(text: str) -> tuple[str, ...]:
    """Each once, in order; not those that a quotation or code shows."""
    return everywhere(_SHOWN.sub(" ", text))


def everywhere(text: str) -> tuple[str, ...]:
    """Each once, in order; those in quotations and code as well."""
    return tuple(dict.fromkeys(_FOUND.findall(text)))
