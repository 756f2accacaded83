"""Features of an option for its parameter, and of yes and no: whether the request says it, and how."""

from __future__ import annotations

from linnet.calling.evidence.lexicon import NEGATIVE, SYNONYMS
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.context_features import of_context
from linnet.calling.ranking.facts import Facts, Features, holding, share
from linnet.calling.ranking.span_features import previous

_OPEN = ("dontcare", "none", "any", "all")
_TRUTH = ("true", "false")
_OF_SWITCHES = frozenset(map(stem, "include is has flag enable enabled show return".split()))
"""Stems in the names of switches that say nothing about what is switched."""
_NEGATIONS = frozenset(
    "no not non without never neither nor don't dont don’t doesn't doesn’t isn't isn’t aren't won't can't cannot "
    "disable disabled exclude excluding except skip omit avoid ignore hide remove leave stop".split()
)
_SWITCHED_OFF = frozenset("off disabled excluded not unnecessary".split())
_REACH = 4
"""Words before what is switched among which a negation is looked for."""
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
        found |= _switched(facts, parameter, f"option {option}")
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
    key = f"bool:{candidate.value}"
    found = {key: 1.0, f"{key}|req={parameter.required}": 1.0, **_switched(facts, parameter, key)}
    return found | holding({f"{key}|default={parameter.default}": parameter.default is not None})


def _switched(facts: Facts, parameter: Parameter, key: str) -> Features:
    """How much the request speaks of a switch, and whether what it says of it is said against it."""
    own, heard = parameter.name_stems - _OF_SWITCHES, facts.reading.stems
    said = share(own, heard)
    like = {other for word in own for other in SYNONYMS.get(word, (word,))}
    places = [i for i, word in enumerate(facts.reading.words) if word.stems & like]
    against = any(_against(facts.reading, place) for place in places)
    return {
        f"{key}|own": said,
        f"{key}|all own": float(said == 1.0),
        f"{key}|alike": sum(bool(SYNONYMS.get(word, frozenset((word,))) & heard) for word in own) / max(1, len(own)),
        f"{key}|fresh": len((own - facts.tool_stems) & heard) / max(1, len(own)),
        f"{key}|against={against}|spoken={bool(places)}": 1.0,
        f"{key}|negated={NEGATIVE.search(facts.reading.text) is not None}": 1.0,
        f"{key}|described": facts.fresh(parameter.description_stems),
    }


def _against(reading: Reading, place: int) -> bool:
    """Whether a word stands behind a negation or before an `off`."""
    words = reading.words
    before = [word.lower for word in words[max(0, place - _REACH) : place]]
    behind = [word.lower for word in words[place + 1 : place + 3]]
    return (
        words[place].lower.startswith(("non-", "no-"))
        or any(word in _NEGATIONS for word in before)
        or any(word in _SWITCHED_OFF for word in behind)
    )
