"""Features of a number for a parameter: its form, its unit, what it is called, and whose turn it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from linnet.calling.evidence.lexicon import UNITS
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.quantities import Quantity
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.context_features import of_context
from linnet.calling.ranking.facts import Facts, Features, holding, near
from linnet.calling.ranking.span_features import previous

_PERCENT = ("percent", "per cent", "%")
_FRACTION = ("decimal", "fraction", "between 0 and 1", "0 to 1", "float")
_UNIT = re.compile(r"[\s-]*([^\W\d_]+)")
_UNIT_CHARS = 24


def of_number(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    """For a candidate with a quantity; one without has no features."""
    quantity = candidate.quantity
    if quantity is None:
        return {}
    return {
        **_form(parameter, candidate, facts.reading.text[quantity.start : quantity.end].lower()),
        **_worth(facts, parameter, candidate, quantity),
        **_money(parameter, facts.reading.text[max(0, quantity.start - 1) : quantity.start]),
        **_context(facts, parameter, candidate),
        **_unit(facts, parameter, _chain(facts, candidate)[-1][1]),
        **_turn(facts, parameter, (quantity.start, quantity.end)),
    }


def _form(parameter: Parameter, candidate: Candidate, said: str) -> Features:
    """How the number is written, and what it is for."""
    key = f"num:{candidate.source}"
    spelled = candidate.quantity is not None and candidate.quantity.spelled
    told = (f"req={parameter.required}", f"int={parameter.integer}", *parameter.senses)
    return {
        key: 1.0,
        **{f"{key}|{what}": 1.0 for what in told},
        **holding({f"{key}|spelled": spelled, f"spelled:{said}": spelled}),
    }


def _worth(facts: Facts, parameter: Parameter, candidate: Candidate, quantity: Quantity) -> Features:
    """Per cents, fractions and years, against what the parameter speaks of."""
    speaks = f"{parameter.name} {parameter.description}".lower()
    percent, fraction = (any(word in speaks for word in words) for words in (_PERCENT, _FRACTION))
    source, integer = candidate.source, f"int={parameter.integer}"
    relevant = quantity.percent or percent
    return holding(
        {
            f"percent={quantity.percent}|means={percent}|{source}|{integer}": relevant,
            f"percent={quantity.percent}|fraction={fraction}|{source}": relevant,
            f"year|named={'year' in parameter.name_stems}": _is_year(candidate.value),
            f"decimal|{integer}": isinstance(candidate.value, float),
            "ordinal in a series": candidate.source == "ordinal" and facts.ordinals > 1,
        }
    )


def _is_year(value: Any) -> bool:
    return isinstance(value, int) and 1500 <= value <= 2100


def _money(parameter: Parameter, before: str) -> Features:
    wanted = bool({"amount", "currency"} & set(parameter.senses))
    return holding({f"num money|{wanted}": before in ("$", "€", "£")})


def _chain(facts: Facts, candidate: Candidate) -> tuple[tuple[int, int], ...]:
    """The enumeration that a number stands in: what is said of it is said before its first or behind its last."""
    assert candidate.quantity is not None
    place = candidate.quantity.start, candidate.quantity.end
    return facts.chains.get(place, (place,))


def _context(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    chain = _chain(facts, candidate)
    first, last = facts.reading.covered(chain[0][0], chain[-1][1])
    named = facts.contexts.get((parameter, first, last))
    if named is None:
        context = of_context(facts, parameter, replace(candidate, first=first, last=last), "number")
        named = {f"num {name}": value for name, value in context.items()}
        facts.contexts[parameter, first, last] = named
    return {**named, f"num prev={previous(facts.reading, first)}": 1.0}


def _unit(facts: Facts, parameter: Parameter, end: int) -> Features:
    """Whether the unit behind a number is one that the parameter's name or description speaks of."""
    match = _UNIT.match(facts.reading.text[end : end + _UNIT_CHARS])
    if not match:
        return {}
    unit = _unit_of(match[1].lower())
    own = unit in _units(parameter)
    others = any(unit in _units(other) for other in facts.numeric if other is not parameter)
    return holding(
        {
            "unit spoken": own and not others,
            "unit spoken by several": own and others,
            "unit spoken by other": others and not own,
        }
    )


def _units(parameter: Parameter) -> frozenset[str]:
    """The words that a parameter speaks of itself with; units in whatever form as one."""
    spoken = re.findall(r"[a-z]+", f"{parameter.name} {parameter.description}".lower())
    return frozenset(map(_unit_of, spoken))


def _unit_of(word: str) -> str:
    return UNITS.get(word, stem(word))


def _turn(facts: Facts, parameter: Parameter, place: tuple[int, int]) -> Features:
    """Whether the n-th number meets the n-th parameter; where there are several times as many numbers as
    parameters need, they are counted anew for each call."""
    if place not in facts.chains:
        return {"num turn none": 1.0}
    if place in facts.tuples:
        return _in_group(facts, parameter, facts.tuples[place])
    said = facts.numbers
    if len(said) > len(facts.numeric) and len(facts.heads) in (len(facts.numeric), facts.needed_numbers):
        said, place = facts.heads, facts.chains[place][0]
    at, own = said.index(place), facts.numeric.index(parameter)
    needed, count = facts.needed_numbers, len(said)
    required = [p for p in facts.numeric if p.required]
    if count > len(facts.numeric) and needed and count % needed == 0:
        if not parameter.required:
            return {"num round": 1.0}
        return {f"num round {near(at % needed - required.index(parameter), 2)}": 1.0}
    found = {f"num turn {near(at - own, 3)}": 1.0}
    if count == len(facts.numeric):
        found[f"num even turn {near(at - own, 2)}"] = 1.0
    if parameter.required and count == needed:
        found[f"num even required {near(at - required.index(parameter), 2)}"] = 1.0
    return found


def _in_group(facts: Facts, parameter: Parameter, position: int) -> Features:
    """Whether a number's position in its group is the parameter's turn."""
    peers = [p for p in facts.numeric if p.required] or facts.numeric
    return {f"num round {near(position - peers.index(parameter), 2)}": 1.0} if parameter in peers else {}
