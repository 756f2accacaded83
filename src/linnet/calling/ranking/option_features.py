"""Features of an option for its parameter, and of yes and no: whether the request says it, and how."""

from __future__ import annotations

from linnet.calling.evidence.lexicon import NEGATIVE, SYNONYMS
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.context_features import of_context
from linnet.calling.ranking.facts import Facts, Features, holding, share
from linnet.calling.ranking.span_features import previous

_OPEN = ("dontcare", "none", "any", "all")
_TRUTH = ("true", "false")
_OF_SWITCHES = frozenset(map(stem, "include is has flag enable enabled show return".split()))
"""Stems in the names of switches that say nothing about what is switched."""
_PREFIX = 4
"""Letters that an option and a word of the request must begin with alike: `celsius` and `celcius`."""


def of_option(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    """How much of the option the request says, in these words or in others."""
    option, source = str(candidate.value).lower(), f"option:{candidate.source}"
    need = f"req={parameter.required}"
    said, alike = _said(str(candidate.value), facts.reading.stems)
    found = {
        source: 1.0,
        f"{source}|{need}": 1.0,
        "option share": said,
        f"option share|{need}": said,
        "option alike": alike,
        f"option alike|{source}": alike,
        **holding(
            {
                f"{source}|default": candidate.value == parameter.default,
                "option first": candidate.value == parameter.schema["enum"][0],
                f"option {option}|{need}": option in (*_OPEN, *_TRUTH),
            }
        ),
    }
    if option in _TRUTH:
        found[f"option {option}|spoken"] = facts.fresh(parameter.name_stems | parameter.description_stems)
    return found | (_context(facts, parameter, candidate, need) if candidate.covers else _prefix(facts, option))


def _said(option: str, heard: frozenset[str]) -> tuple[float, float]:
    """The shares of an option's words that the request has, and that it has or has a synonym of."""
    stems = words(option) or [option.lower()]
    said = sum(s in heard for s in stems)
    alike = sum(bool(SYNONYMS.get(s, frozenset((s,))) & heard) for s in stems)
    return said / len(stems), alike / len(stems)


def _context(facts: Facts, parameter: Parameter, candidate: Candidate, need: str) -> Features:
    context = of_context(facts, parameter, candidate, need)
    named = {f"option {name}": value for name, value in context.items()}
    before = f"option prev={previous(facts.reading, candidate.first)}"
    return {**named, before: 1.0, **{f"{before}|{sense}": 1.0 for sense in parameter.senses}}


def _prefix(facts: Facts, option: str) -> Features:
    """Whether a word of the request begins as an option does that it does not name."""
    begin = option[:_PREFIX]
    heard = (word.lower[:_PREFIX] for word in facts.reading.words)
    return holding({"option prefix": len(begin) == _PREFIX and begin in heard})


def of_boolean(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    """Whether the request speaks of what the parameter switches, and against it."""
    key, heard = f"bool:{candidate.value}", facts.reading.stems
    own = parameter.name_stems - _OF_SWITCHES
    said = share(own, heard)
    found = {
        key: 1.0,
        f"{key}|req={parameter.required}": 1.0,
        f"{key}|own": said,
        f"{key}|all own": float(said == 1.0),
        f"{key}|fresh": len((own - facts.tool_stems) & heard) / max(1, len(own)),
        f"{key}|negated={NEGATIVE.search(facts.reading.text) is not None}": 1.0,
        f"{key}|described": facts.fresh(parameter.description_stems),
    }
    return found | holding({f"{key}|default={parameter.default}": parameter.default is not None})
