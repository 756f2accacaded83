"""What makes an answer right: checks as values, each of which says what is wrong, or nothing.

Hides how texts are compared, how JSON is found in an answer, and what counts as its number. A pattern is the author's
own and has no deadline: one that takes for ever is his to correct.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from linnet.evals.judge import judge
from linnet.limits import LIMITS
from linnet.schema import JsonSchema, problems


@dataclass(frozen=True)
class Said:
    """An answer as checks see it: its text, and the calls `{name, arguments}` in it; `tools` are the parameters of
    each tool by its name."""

    text: str
    calls: tuple[Mapping[str, Any], ...] = ()
    tools: Mapping[str, Mapping[str, Any]] | None = None


class Check(Protocol):
    """`fault` is "" where the check holds; `calls` says that it looks at calls."""

    @property
    def calls(self) -> bool: ...

    def fault(self, said: Said) -> str: ...


def fault_of(checks: Sequence[Check], said: Said) -> str:
    """The first thing that is wrong; "" for none. Text over `LIMITS.checked_chars` is refused unread."""
    if len(said.text) > LIMITS.checked_chars:
        return f"the answer has {len(said.text):,} characters, over {LIMITS.checked_chars:,}"
    return next((fault for check in checks if (fault := check.fault(said))), "")


@dataclass(frozen=True)
class Exact:
    """The whole answer is one of these, spaces at its edges aside."""

    texts: tuple[str, ...]
    calls: bool = False

    def fault(self, said: Said) -> str:
        return "" if said.text.strip() in {text.strip() for text in self.texts} else _instead(said, self.texts)


@dataclass(frozen=True)
class Contains:
    """One of these stands in the answer, whatever the case; or none does, with `absent`."""

    texts: tuple[str, ...]
    absent: bool = False
    calls: bool = False

    def fault(self, said: Said) -> str:
        answer = said.text.casefold()
        found = [text for text in self.texts if text.casefold() in answer]
        if self.absent:
            return f"{found[0]!r} is in the answer" if found else ""
        return "" if found else _instead(said, self.texts)


@dataclass(frozen=True)
class Matches:
    """The pattern is found in the answer; it minds case unless it begins with `(?i)`."""

    pattern: str
    calls: bool = False

    def fault(self, said: Said) -> str:
        return "" if re.search(self.pattern, said.text) else f"{_shown(said.text)} does not match {self.pattern!r}"


@dataclass(frozen=True)
class Number:
    """The last number in the answer, in digits or English words, is this one, within so much."""

    value: float
    within: float = 0.0
    calls: bool = False

    def fault(self, said: Said) -> str:
        from linnet.calling.evidence.quantities import numbers

        found = numbers(said.text)
        if not found:
            return f"no number in {_shown(said.text)}, expected {self.value:g}"
        got = found[-1].value
        near = math.isclose(got, self.value, rel_tol=1e-9, abs_tol=self.within or 1e-12)
        return "" if near else f"{got:g}, expected {self.value:g}"


@dataclass(frozen=True)
class FitsSchema:
    """The answer is JSON, bare or in one code fence, that the schema accepts."""

    schema: JsonSchema
    calls: bool = False

    def fault(self, said: Said) -> str:
        fenced = _FENCE.fullmatch(said.text.strip())
        try:
            value = json.loads(fenced[1] if fenced else said.text)
        except (ValueError, RecursionError) as error:
            return f"not JSON: {str(error)[:120]}"
        where, what = next(problems(value, self.schema), ("", ""))
        return f"{where} {what}".strip()


_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL)


@dataclass(frozen=True)
class Calls:
    """These calls are made, in any order, and no others; for each argument the allowed values, "" among them: it may
    be left out."""

    expected: tuple[Mapping[str, Any], ...]
    calls: bool = True

    def fault(self, said: Said) -> str:
        if not self.expected and said.calls:
            return f"{said.calls[0]['name']} called, no call expected"
        if len(self.expected) == 1 and not said.calls:
            return f"no call, {self.expected[0]['name']} expected"
        return judge(said.calls, self.expected, said.tools)


def _instead(said: Said, texts: Sequence[str]) -> str:
    return f"{_shown(said.text)}, expected {' or '.join(map(repr, texts))}"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
