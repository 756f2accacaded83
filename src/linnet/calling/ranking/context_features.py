"""Features of where a candidate stands: how the words around it and in it relate to the parameters' own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.facts import Facts, Features, holding


@dataclass(frozen=True)
class _Vocabulary:
    """Stems of a parameter's name, of its description beyond that, and of all others' names."""

    own: frozenset[str]
    described: frozenset[str]
    others: frozenset[str]


def of_context(facts: Facts, parameter: Parameter, candidate: Candidate, need: str) -> Features:
    """For a candidate that covers words; `need` tells apart what weighs differently."""
    own = parameter.name_stems
    known = _Vocabulary(own, parameter.description_stems - own, facts.named - own)
    stems = [word.stem for word in facts.reading.words[max(0, candidate.first - 4) : candidate.last + 3]]
    begin = min(4, candidate.first)
    end = begin + candidate.last - candidate.first + 1
    return {
        **_before(stems[:begin][::-1], known, need),
        **_inside(stems[begin:end], known),
        **_after(stems[end:], known, need),
    }


def _before(stems: Sequence[str], known: _Vocabulary, need: str) -> Features:
    """The nearest of the words before it that says something, by its distance."""
    found: Features = {}
    for name, reach, wanted in (
        ("own word", 4, known.own),
        ("described", 3, known.described),
        ("other's word", 2, known.others),
    ):
        distance = next((i for i, stem in enumerate(stems[:reach], start=1) if stem in wanted), None)
        if distance is not None:
            found[f"{name} -{distance}"] = 1.0
            found |= {f"own word before|{need}": 1.0} if name == "own word" else {}
    return found


def _inside(stems: Sequence[str], known: _Vocabulary) -> Features:
    size, own = len(stems), [stem in known.own for stem in stems]
    return {
        "own inside": sum(own) / size,
        "described inside": sum(stem in known.described for stem in stems) / size,
        "others inside": sum(stem in known.others for stem in stems) / size,
        **holding(
            {"own ends": own[-1] and size > 1, "own begins": own[0] and size > 1, "is own name": all(own)},
        ),
    }


def _after(stems: Sequence[str], known: _Vocabulary, need: str) -> Features:
    if not stems:
        return {}
    own, behind = stems[0] in known.own, stems[-1] in known.own
    return holding(
        {
            "own word next": own,
            f"own word next|{need}": own,
            "own word next but one": behind and not own,
            "other's word next": stems[0] in known.others,
            "described next": stems[0] in known.described,
        }
    )
