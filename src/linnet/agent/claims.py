"""Claims: what a final text says was done, or gives as a number, held against what tools did and what was told.

`I have saved the file` or `I'll save it` without a call that could have saved one, and `that makes 43` where no tool
and no input said 43. What is found is told in a note below the text, for words that were shown already do not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from linnet.agent.deeds import Claim, claims, could, unquoted
from linnet.agent.promises import promises
from linnet.calling.evidence.placeholders import everywhere, placeholders
from linnet.calling.evidence.quantities import numbers
from linnet.messages import ToolCall, ToolResult


@dataclass(frozen=True)
class Checked:
    """`text` with a note below it for each thing that does not hold; `findings` say it for the record."""

    text: str
    findings: tuple[str, ...] = ()


def checked(
    text: str,
    told: Iterable[str],
    results: Sequence[ToolResult] = (),
    about: Mapping[str, str] | None = None,
    earlier: Iterable[ToolCall] = (),
) -> Checked:
    """A final text, held against what was `told` to the model and the `results` of tools; `about` are the tools'
    descriptions by name, `earlier` the calls of turns before this one, which bear out claims too."""
    told, done = tuple(told), (*results, *(ToolResult(call) for call in earlier))
    notes: list[str] = []
    findings: list[str] = []
    said = [(claim, "claims") for claim in claims(text)] + [(promise, "promises") for promise in promises(text)]
    for claim, way in said:
        note = _unfounded(claim, done, about or {})
        if note and note not in notes:
            notes.append(note)
            findings.append(f"the answer {way} what was not done in this turn: {claim.sentence[:80]!r}")
    if unfilled := set(placeholders(text)).difference(*map(everywhere, told)):
        findings.append(f"the answer leaves {', '.join(sorted(unfilled)[:3])} to be filled")
    if results:
        for number in unsupplied(text, told, results):
            findings.append(f"no tool and no input supplied the number {number} of the answer")
            notes.append(_put_right(number, results))
    shown = "\n".join(f"({note})" for note in notes if note)
    return Checked(f"{text}\n\n{shown}" if shown else text, tuple(findings))


def _unfounded(claim: Claim, results: Sequence[ToolResult], about: Mapping[str, str]) -> str:
    """What to say of a claim that no call bears out; "" if one does."""
    fitting = [done for done in results if could(done, claim.deed, about)]
    if any(done.ok for done in fitting):
        return ""
    if fitting:
        done = fitting[-1]
        return f"{done.call.name} did not work: {(done.error or {}).get('message', 'it failed')}"
    return f"No tool was called in this turn that could {claim.deed} anything."


# --- numbers -------------------------------------------------------------------------------------

_NUMERAL = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)")
_DIGITS = re.compile(r"\d{1,300}(?:,\d{3})*(?:\.\d+)?")
_MARKER = re.compile(r"^[ \t]*\(?\d{1,3}[.):](?=\s)", re.MULTILINE)
_SMALL = 10
"""Whole numbers up to here count things of the text itself."""


def unsupplied(text: str, told: Iterable[str], results: Sequence[ToolResult]) -> tuple[str, ...]:
    """The numerals of a text that neither what was told nor a result has, rounding and per cent allowed for."""
    body = _MARKER.sub("", unquoted(text, " "))
    numerals = dict.fromkeys(found[0] for found in _NUMERAL.finditer(body))
    if not numerals:
        return ()
    known = {abs(value) for one in told for value in _in_words(one)}
    known |= {abs(value) for done in results for value in (*_values(done.value), *_values(done.call.arguments))}
    return tuple(said for said in numerals if not _is_known(said, known))


def _is_known(said: str, known: Iterable[float]) -> bool:
    value = abs(float(said.replace(",", "")))
    if value <= _SMALL and value.is_integer():
        return True
    half = 0.5 * 10 ** -len(said.partition(".")[2]) + 1e-9
    return any(abs(value - scale * one) <= half for one in known for scale in (1, 100))


def _values(value: Any) -> Iterator[float]:
    """All numbers in a JSON value, those in its texts included."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        with suppress(OverflowError):  # no numeral that a float can be held against
            yield float(value)
    elif isinstance(value, str):
        yield from _in_words(value)
    else:
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _values(one)


def _in_words(text: str) -> Iterator[float]:
    """All numbers in a text, those of dates and times included."""
    yield from (found.value for found in numbers(text))
    yield from (float(found[0].replace(",", "")) for found in _DIGITS.finditer(text))


def _put_right(said: str, results: Sequence[ToolResult]) -> str:
    """What the tools said instead, where that is a single number; "" where it is not."""
    found = [(value, done.call.name) for done in results if done.ok for value in _values(done.value)]
    if len(found) != 1:
        return ""
    value, name = found[0]
    return f"{name} said {value:.12g}, not {said}."
