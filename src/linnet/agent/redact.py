"""What of a text another machine is not to see: found by rules, replaced by numbered marks, put back in the answer.

Hides the patterns (each linear in the text), the marks, and marks that a stream cuts in two. The same value has the
same mark throughout a request, so that a model can still speak of it: `[EMAIL_1]`. What rules do not know is sent:
names, addresses, anything in other words (`bob at example dot com`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from linnet.errors import EscalationDenied, SettingsInvalid
from linnet.limits import LIMITS

# --- rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A kind of text and the pattern of it; its first group, if it has one, is what is kept back. `also` decides on
    what the pattern has found. A pattern of your own may take long on texts that are made for it."""

    kind: str
    pattern: re.Pattern[str]
    also: Callable[[str], bool] = lambda text: True

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Za-z]{1,24}", self.kind):
            raise SettingsInvalid(f"a kind of text is named by up to 24 letters, not {self.kind!r}")

    def find(self, text: str) -> Iterable[tuple[int, int]]:
        group = 1 if self.pattern.groups else 0
        spans = (found.span(group) for found in self.pattern.finditer(text))
        return ((start, end) for start, end in spans if start < end and self.also(text[start:end]))


def _is_long(text: str) -> bool:
    """Seven digits or more: a telephone, account or card number, but no date as ISO 8601 has it."""
    return sum(letter.isdigit() for letter in text) >= 7 and not re.fullmatch(r"\d{4}-\d\d-\d\d", text)


def _is_mixed(text: str) -> bool:
    """Made up by a machine: digits among letters of both cases, or among those of hexadecimal numbers."""
    kinds = any(map(str.isdigit, text)), any(map(str.islower, text)), any(map(str.isupper, text))
    return all(kinds) or (kinds[0] and re.fullmatch("[0-9a-fA-F-]+", text) is not None)


_PREFIXES = "sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abps]|hf|npm|pypi"

_SAYS = r"(?:\s{0,3}[:=]|\s{1,3}is)\s{0,3}"

KEYS = (
    Rule("key", re.compile(r"-----BEGIN [A-Z ]{1,40}-----[^-]{1,65536}+-----END [A-Z ]{1,40}-----")),
    Rule("key", re.compile(rf"(?<![\w-])(?:(?:{_PREFIXES})[-_]|AKIA|AIza|eyJ)[\w.-]{{12,}}+")),
    Rule("key", re.compile(rf"(?i)\b(?:password|passphrase|passwd|pwd){_SAYS}([^\s,;]{{3,}}+)")),
    Rule("key", re.compile(r"(?i)\b(?:api[ _-]?key|secret|token)\s{0,3}[:=]\s{0,3}([^\s,;]{6,}+)")),
    Rule("key", re.compile(r"(?<![\w+-])[A-Za-z0-9_+-]{24,}+={0,2}"), _is_mixed),
)
EMAILS = (Rule("email", re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")),)
NUMBERS = (Rule("number", re.compile(r"(?<!\d)\+?\d++(?:[ ./()-]{1,2}\d{2,}+)*+"), _is_long),)

STANDARD: tuple[Rule, ...] = (*KEYS, *EMAILS, *NUMBERS)
"""Keys and passwords, e-mail addresses, and numbers of seven digits or more."""

# --- one request ---------------------------------------------------------------------------------

_MARK = re.compile(r"\[([A-Za-z]+_[0-9]+)\]")
_BEGUN = re.compile(r"\[[A-Za-z]{0,24}(?:_[0-9]{0,9})?\Z")
"""What may become a mark with the text that follows."""


class Redaction:
    """What is kept back of one request. `texts` are all that it holds, so that no mark is one that it has already."""

    def __init__(self, rules: Sequence[Rule], texts: Iterable[str]) -> None:
        self._rules = tuple(rules)
        self._taken = {found[1].upper() for text in texts for found in _MARK.finditer(text)}
        self._marks: dict[str, str] = {}  # value -> mark
        self._values: dict[str, str] = {}  # what stands in a mark -> value
        self._kinds: dict[str, int] = {}
        self._last: dict[str, int] = {}

    @property
    def kinds(self) -> dict[str, int]:
        """How many different texts of each kind were kept back."""
        return dict(self._kinds)

    def redact(self, text: str) -> str:
        """Raises EscalationDenied for more texts than the limit."""
        parts: list[tuple[str, bool]] = [(text, False)]  # and whether a part is a mark, which no rule reads
        for rule in self._rules:
            parts = [new for part in parts for new in ((part,) if part[1] else self._split(rule, part[0]))]
        return "".join(part for part, _ in parts)

    def restore(self, text: str) -> str:
        """With the marks of this request as what they stand for, in any case of letters."""
        return _MARK.sub(lambda found: self._values.get(found[1].upper(), found[0]), text)

    def _split(self, rule: Rule, text: str) -> list[tuple[str, bool]]:
        parts, last = [], 0
        for start, end in rule.find(text):
            parts += [(text[last:start], False), (self._mark(rule.kind, text[start:end]), True)]
            last = end
        return [*parts, (text[last:], False)]

    def _mark(self, kind: str, value: str) -> str:
        if value in self._marks:
            return self._marks[value]
        if len(self._marks) >= LIMITS.redactions:
            raise EscalationDenied(
                f"the request holds over {LIMITS.redactions} texts to keep back, the limit", limit=LIMITS.redactions
            )
        name = self._free(kind.upper())
        self._marks[value], self._values[name] = f"[{name}]", value
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        return self._marks[value]

    def _free(self, kind: str) -> str:
        while True:
            self._last[kind] = self._last.get(kind, 0) + 1
            if (name := f"{kind}_{self._last[kind]}") not in self._taken:
                return name


class Restoring:
    """`Redaction.restore` for a text that arrives in pieces: what may be the beginning of a mark waits."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction, self._held = redaction, ""

    def feed(self, text: str) -> str:
        text = self._held + text
        begun = _BEGUN.search(text, max(0, len(text) - 40))
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return self._redaction.restore(text[:cut])

    def end(self) -> str:
        held, self._held = self._held, ""
        return held
