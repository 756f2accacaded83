"""Features of a list for a parameter: its size, where it stands, and whether its items are alike."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.context_features import of_context
from linnet.calling.ranking.facts import Facts, Features, holding
from linnet.calling.ranking.span_features import quantifier

_OF_SPAN = ("prev=", "next=", "open=", "close=", "quote", "cut", "starts", "first")
"""Beginnings of the features of a run of words that tell something of a whole list."""


def of_list(facts: Facts, parameter: Parameter, candidate: Candidate, span: Features) -> Features:
    """For a candidate with a list as its value; `span` are the features of the words that it covers."""
    kind, need, size = _kind(parameter), f"req={parameter.required}", len(candidate.value)
    key = f"list:{candidate.source}|{kind}"
    found = {
        key: 1.0,
        f"{key}|{need}": 1.0,
        f"list size {min(size, 5)}|{kind}": 1.0,
        "list size": float(min(size, 10)),
    }
    if not candidate.covers or not candidate.value:
        return found
    for name, value in of_context(facts, parameter, candidate, need).items():
        found[f"list {name}"] = found[f"list {name}|{kind}"] = value
    found |= {f"list {name}": value for name, value in span.items() if name.startswith(_OF_SPAN)}
    if kind == "number":
        return found
    return found | _of_items([str(item) for item in candidate.value], span) | _goes_on(facts, candidate)


def _goes_on(facts: Facts, candidate: Candidate) -> Features:
    """Whether it goes on behind the `and` that should be its last: `toothpaste and shampoo, put them ...`."""
    inside = facts.reading.words[candidate.first : candidate.last + 1]
    joint = next((i for i, word in enumerate(inside) if word.lower in ("and", "or")), len(inside))
    return holding({"list goes on": any("," in word.gap for word in inside[joint + 2 :])})


def _kind(parameter: Parameter) -> str:
    """The type of the elements in the schema's words; `any` without a schema for them."""
    inner = parameter.schema.get("items")
    kind = str(inner.get("type", "string")) if isinstance(inner, dict) else "any"
    return "number" if kind == "integer" else kind


def _of_items(items: Sequence[str], span: Features) -> Features:
    """Items that are texts, or are taken as such: an edge that reaches too far makes one unlike the others."""
    found = {"list tool words": span["tool words"]}
    if len(items) == 1:
        found |= {f"single {name}": value for name, value in span.items()}
    found |= _lengths([len(item.split()) for item in items])
    cut = "cut phrase right" in span or "cut name right" in span
    found[f"list last longer|cut={cut}"] = found["list last longer"]
    return {**found, **_cases(items)}


def _lengths(sizes: Sequence[int]) -> Features:
    """Whether the first or the last item is longer than the others, in words."""
    return {
        "list uneven": (max(sizes) - min(sizes)) / max(1, *sizes),
        "list first longer": _longer(sizes[0], sizes[1:]),
        "list last longer": _longer(sizes[-1], sizes[:-1]),
    }


def _longer(own: int, others: Sequence[int]) -> float:
    return max(0.0, own - sum(others) / len(others)) if others else 0.0


def _cases(items: Sequence[str]) -> Features:
    """Whether the first or the last item is the only one with a capital, or without."""
    capitals = [item[:1].isupper() for item in items]
    found = {f"list caps={quantifier(capitals)}": True}
    if len(items) > 1:
        found["list first odd case"] = capitals[0] != capitals[1] and len(set(capitals[1:])) == 1
        found["list last odd case"] = capitals[-1] != capitals[0] and len(set(capitals[:-1])) == 1
    return holding(found)
