"""What a call lacks because the request does not say it: a time that is none, or all that a tool named would need.

A span of the request is always there to be taken, and so `Remind me to call mum` has a text for the time as well.
What cannot be a time is asked back for, by the parameter's name. English, as all evidence is: where a request
has hardly an English function word, nothing is objected to.
"""

from __future__ import annotations

import re
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
_TOLD = frozenset("it it's it’s there there's there’s this that that's that’s he she they i've i’ve i'm i’m".split())
"""What a statement begins with."""
_WISHES = frozenset("want wanna need wish would must".split())
"""What stands behind `I` and `we` where something is asked for."""
_NEGATED = re.compile(r"\b(?:not|cannot|never)\b|n['’]t\b", re.IGNORECASE)
_ASKING = (
    _WISHES | _POLITE | frozenset("a an the my our i i'd i’d we me us you to for like please it this that".split())
)
"""Function words of a request that says the one content word of a tool's name and no more."""
_SAYING = frozenset(("tell", "give"))
"""Verbs of tools' names for what a model may just as well say itself."""
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
        if not rest and not _plainly(reading, tool):
            continue
        if said[0] == verb and set(rest) <= set(said) and len(beside) <= (_BESIDE if rest else 0):
            name = {verb, *rest}
            lacking = [p.name for p in parameters(tool) if p.required and not _given(p, reading, name)]
            if lacking:
                return tool, _problem(tool, [(one, "is missing") for one in lacking])
    return None


def _asks_for_a_deed(reading: Reading) -> bool:
    first, then = (*(word.lower for word in reading.words[:2]), "", "")[:2]
    if first in _QUESTIONS or first in _TOLD or _NEGATED.search(reading.text):
        return False
    return not (first in _POLITE and then != "you") and not (first in ("i", "we") and then not in _WISHES)


def _plainly(reading: Reading, tool: Tool) -> bool:
    """Whether a request has no function words but those of asking and those of the tool's own name, `get` say."""
    name = set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool.name).lower().split("_"))
    return name.isdisjoint(_SAYING) and all(not w.common or w.lower in _ASKING | name for w in reading.words)


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
