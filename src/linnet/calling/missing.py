"""What a call lacks because the request does not say it: a time that is none, or all that a tool named would need.

A span of the request is always there to be taken, and so `Remind me to call mum` has a text for the time as well.
What cannot be a time is asked back for, by the parameter's name. English, as all evidence is: where a request
has hardly an English function word, nothing is objected to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from linnet.calling.evidence import dates
from linnet.calling.evidence.moments import hinted
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import candidates
from linnet.errors import ToolArgumentsInvalid
from linnet.tools import Tool

_QUESTIONS = frozenset("how why what when where which who whose should is are do does did was were".split())
_POLITE = frozenset(("can", "could", "will", "would"))
_ENGLISH = 2
"""Function words of which a request is in English: one alone may be of another language (`an Mama`)."""
_BESIDE = 1
"""Content words that a request may have beside those of a tool's name, and still be about nothing else; none where
the name has but one, which may well be said by the way."""


def check(tool: Tool, arguments: Mapping[str, Any], request: str) -> None:
    """Raises ToolArgumentsInvalid for a required moment whose value does not say any."""
    if len({word.lower for word in Reading(request).words if word.common}) < _ENGLISH:
        return
    wrong = [
        (p.name, f"is missing: {value!r} is neither a date nor a time")
        for p in parameters(tool)
        if p.required and dates.wanted(p) and (value := _unsaid(p, arguments)) is not None
    ]
    if wrong:
        raise _problem(tool, wrong)


def _unsaid(parameter: Parameter, arguments: Mapping[str, Any]) -> str | None:
    """The parameter's value, if it is a text that neither says when nor stands in the schema."""
    value: Any = arguments
    for name in parameter.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or value in (parameter.default, *parameter.examples) or not value.isascii():
        return None
    return None if hinted(value) else value


def named(request: str, tools: Iterable[Tool]) -> tuple[Tool, ToolArgumentsInvalid] | None:
    """The tool that a request is for by saying its name and nothing else (`Split the bill`), and what it lacks; None
    where it lacks nothing, or where the request does not ask for something to be done."""
    reading = Reading(request)
    said = words(request)
    if not said or not _asks_for_a_deed(reading):
        return None
    for tool in tools:
        verb, *rest = words(tool.name) or ("",)
        beside = [one for one in said if one not in (verb, *rest)]
        if said[0] == verb and set(rest) <= set(said) and len(beside) <= (_BESIDE if rest else 0):
            name = {verb, *rest}
            lacking = [p.name for p in parameters(tool) if p.required and not _given(p, reading, name)]
            if lacking:
                return tool, _problem(tool, [(one, "is missing") for one in lacking])
    return None


def _asks_for_a_deed(reading: Reading) -> bool:
    first, then = (*(word.lower for word in reading.words[:2]), "", "")[:2]
    return first not in _QUESTIONS and not (first in _POLITE and then != "you")


def _given(parameter: Parameter, reading: Reading, name: set[str]) -> bool:
    """Whether a request has anything for a parameter, the words of the tool's name put aside."""
    own = {i for i, word in enumerate(reading.words) if not word.common and word.stem not in name}
    if dates.wanted(parameter):
        return bool(reading.moments) or any(hinted(reading.words[i].text) for i in own)
    found = candidates(parameter, reading)  # one that does not stand in the text is given anyhow
    return any(one.first < 0 or not own.isdisjoint(range(one.first, one.last + 1)) for one in found)


def _problem(tool: Tool, wrong: Sequence[tuple[str, str]]) -> ToolArgumentsInvalid:
    told = "; ".join(f"{name} {reason}" for name, reason in wrong)
    listed = [{"argument": name, "problem": reason} for name, reason in wrong]
    return ToolArgumentsInvalid(f"{tool.name}: {told}", tool=tool.name, problems=listed)
