"""Features of a text for a parameter: its words, where they stand, and whether they look like the examples."""

from __future__ import annotations

from linnet.calling.evidence.codes import code
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.stems import stem
from linnet.calling.evidence.towns import town
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.context_features import of_context
from linnet.calling.ranking.facts import Facts, Features, holding

_KINDS_OF_PLACE = {stem(word): word for word in ("city", "town", "state", "province", "country")}
"""Stems in the names of parameters that want a place of one kind."""


def of_text(facts: Facts, parameter: Parameter, candidate: Candidate, span: Features) -> Features:
    """For a candidate that covers words; `span` are the features of these."""
    need = "req" if parameter.required else "opt"
    return {
        **_by_sense(parameter, candidate, span),
        f"span|{need}": 1.0,
        **holding({f"asks {facts.asks[parameter]}|{candidate.source}": bool(facts.asks[parameter])}),
        **of_context(facts, parameter, candidate, need),
        **_looks(parameter, str(candidate.value)),
        **_place(parameter, str(candidate.value)),
        **_turn(facts, parameter, candidate),
    }


def _place(parameter: Parameter, said: str) -> Features:
    """What kind of place it is, for a parameter that wants one of a kind."""
    wanted = [kind for name, kind in _KINDS_OF_PLACE.items() if name in parameter.name_stems]
    if len(wanted) != 1:
        return {}
    kinds = {"country": code(said, "country"), "state": code(said, "state"), "city": town(said)}
    known = [kind for kind, found in kinds.items() if found is not None]
    return {f"{kind} for {wanted[0]}": 1.0 for kind in known or ["unknown place"]}


def _by_sense(parameter: Parameter, candidate: Candidate, span: Features) -> Features:
    """The span's features and the source, by themselves and for each sense of the parameter."""
    kinds = ("", *(f"|{sense}" for sense in parameter.senses))
    plain = {**span, f"source:{candidate.source}": 1.0}
    return {f"{name}{kind}": value for name, value in plain.items() for kind in kinds}


def _looks(parameter: Parameter, said: str) -> Features:
    """Whether it is, or looks like, a value that the description gives as an example."""
    lowered = said.lower()
    example = any(lowered == e.lower() for e in parameter.examples)
    alike = bool(parameter.examples) and any(stem(word) in parameter.example_stems for word in lowered.split())
    default = parameter.default is not None and lowered == str(parameter.default).lower()
    found = holding({"is example": example, "shares example words": alike and not example, "is default": default})
    return {**found, **_like(said, [e for e in parameter.examples if e[:1].isalnum() and e != parameter.default])}


def _like(said: str, examples: list[str]) -> Features:
    """Whether it has the form of the examples: capitals, commas, digits, number of words."""
    if not examples:
        return {}
    case = any(e[:1].isupper() == said[:1].isupper() for e in examples)
    return holding(
        {
            "like case": case,
            "unlike case": not case,
            "like comma": "," in said and any("," in e for e in examples),
            "no comma": "," not in said and all("," in e for e in examples),
            "like length": any(len(e.split()) == len(said.split()) for e in examples),
            "like digits": _has_digit(said) and any(map(_has_digit, examples)),
        }
    )


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _turn(facts: Facts, parameter: Parameter, candidate: Candidate) -> Features:
    """Whether it comes early or late in the request, against the parameter's turn among those that take text."""
    peers = facts.textual
    if len(peers) < 2:
        return {}
    turn = peers.index(parameter) / (len(peers) - 1) if parameter in peers else 0.5
    at = candidate.first / max(1, len(facts.reading.words) - 1)
    return {"text apart": abs(turn - at), f"text {'first' if turn == 0 else 'last' if turn == 1 else 'mid'} at": at}
