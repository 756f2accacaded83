"""Features of what a request does not say: a default, an example of the description, no argument at all."""

from __future__ import annotations

from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.candidate import OMITTED, Candidate
from linnet.calling.ranking.facts import Facts, Features, share

_SHORT = 12
"""Words below which a request hardly spells out a list."""


def of_unsaid(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    """Whether the request speaks of the parameter after all."""
    source = "omitted" if candidate.value is OMITTED else candidate.source
    key, heard = f"{source}|{parameter.type}", facts.reading.stems
    found = {
        key: 1.0,
        f"{key}|req={parameter.required}": 1.0,
        f"{key}|default": float(parameter.default is not None),
        f"{key}|spoken": share(parameter.name_stems, heard),
        f"{key}|described": facts.fresh(parameter.description_stems),
        **{f"{key}|{sense}": 1.0 for sense in parameter.senses},
    }
    if parameter.type == "number":
        found |= _spare(facts, key)
    if parameter.type == "array":
        found[f"{key}|len"] = float(len(facts.reading.words) < _SHORT)
    return found | _said(str(candidate.value), key, heard) if source == "example" else found


def _spare(facts: Facts, key: str) -> Features:
    """Whether there are numbers left for those parameters that may go without."""
    spare = len(facts.numbers) - facts.needed_numbers
    optional = len(facts.numeric) - facts.needed_numbers
    return {f"{key}|spare={max(-1, min(2, spare))}": 1.0, f"{key}|fits={'yes' if spare >= optional else 'no'}": 1.0}


def _said(example: str, key: str, heard: frozenset[str]) -> Features:
    """How much of an example the request says."""
    stems = words(example)
    said = sum(stem in heard for stem in stems) / max(1, len(stems))
    return {f"{key}|said": said, f"{key}|said all": float(said == 1.0)}
