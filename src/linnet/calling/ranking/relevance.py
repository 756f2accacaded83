"""How well a request and a tool go together: which tool does best, and the log-odds that it is wanted at all.

Evidence says both by itself: shared words, what the request is after and its form, and what filling the tool's
arguments would lead to. Where the model is asked, its gain is weighed beside what evidence says.
"""

from __future__ import annotations

from dataclasses import dataclass

from linnet.calling.evidence.lexicon import SYNONYMS
from linnet.calling.evidence.naming import overlap, words
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking import form, goal
from linnet.calling.ranking.facts import Features, share
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Belief, Weights, weigh
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.retrieve import described

_LEAST = -5.0
"""Log-probability below which a best candidate is as good as none."""


_CLEAR = -0.4
"""Log-probability over which an argument is beyond doubt."""

_EVEN = Belief(1.0, 1.0)


@dataclass(frozen=True)
class Suit:
    """`fit` tells which of several tools does best, in nats that mean nothing by themselves; `odds` are the log-odds
    that the request wants the tool, if it is the best one."""

    fit: float
    odds: float


def by_evidence(features: Features, weights: Weights) -> Suit:
    return Suit(weigh(features, weights.choice), weigh(features, weights.evident))


def by_model(suit: Suit, reading: Reading, gain: float, weights: Weights) -> Suit:
    """What evidence says with the model's `gain` beside it: how much likelier the tool's introduction makes the
    request, in nats."""
    belief = weights.model.get("tool", _EVEN)
    odds = weigh(with_gain(suit.odds, reading, gain), weights.relevance)
    return Suit(belief.evidence * suit.fit + belief.model * gain, odds)


def with_gain(odds: float, reading: Reading, gain: float) -> Features:
    """Of a request in another script the gain is all there is to go by."""
    return {
        "evident": odds,
        "gain": gain,
        "gain a word": gain / max(4, len(reading.words)),
        "foreign gain": _foreign(reading) * gain,
    }


def suits(portions: Portions, most: int, size: int, weights: Weights) -> list[Features]:
    """For each of the first `most` tools, what the request says by itself; `size` tools are on offer."""
    shares = portions.features()[:most]
    return [
        features(Sheet(tool, parameters(tool), portions.reading, weights), size)
        | {f"portion {name}": value for name, value in share.items()}
        for tool, share in zip(portions.tools, shares, strict=False)
    ]


def features(sheet: Sheet, tools: int) -> Features:
    """What the request says by itself; `tools` are on offer."""
    tool, reading = sheet.tool, sheet.reading
    heard = frozenset(word.stem for word in reading.words if not word.common)
    name = frozenset(words(tool.name.replace(".", " ")))
    told = frozenset(words(tool.description))
    own = frozenset(stem for parameter in sheet.parameters for stem in words(parameter.path[-1]))
    length = len(reading.words)
    return {
        "overlap": overlap(words(reading.text), described(tool)),
        "name": share(name, reading.stems),
        "description": share(told, reading.stems),
        "parameters": share(own, reading.stems),
        "in description": share(heard, told),
        "in name": share(heard, name),
        "names it": float(bool(name & reading.stems)),
        "tools": float(min(6, tools)),
        "length": min(80, length) / 20,
        "short": float(length < 6),
        "foreign": _foreign(reading),
        **goal.features(tool, reading),
        **form.features(tool, reading),
        **_evidence(sheet),
        **_explained(sheet, name | told | own),
    }


def _explained(sheet: Sheet, spoken: frozenset[str]) -> Features:
    """How many of the request's content words the tool's words, or its arguments' best values, account for."""
    described = spoken.union(*(p.description_stems for p in sheet.parameters))
    best = [way[0][0] for p in sheet.parameters if (way := sheet.ways[p])]
    content = [i for i, word in enumerate(sheet.reading.words) if not word.common]
    stems = {i: sheet.reading.words[i].stem for i in content}
    alike = {i: SYNONYMS.get(stem, frozenset((stem,))) for i, stem in stems.items()}
    left = [i for i in content if not alike[i] & described]
    open_ = [i for i in left if not any(c.first <= i <= c.last for c in best if c.covers)]
    said = {stem for i in content for stem in alike[i]}
    return {
        "unspoken": len(left) / max(1, len(content)),
        "unexplained": len(open_) / max(1, len(content)),
        "words unexplained": float(min(8, len(open_))),
        "spoken alike": len(spoken & said) / max(1, len(spoken)),
        "first word": float(bool(content) and bool(alike[content[0]] & spoken)),
    }


def _foreign(reading: Reading) -> float:
    """The share of letters in another script: such words can be shared with no English tool."""
    letters = [character for character in reading.text if character.isalpha()]
    return sum(not character.isascii() for character in letters) / max(1, len(letters))


def _evidence(sheet: Sheet) -> Features:
    """How sure the required arguments are, and how many the request says nothing for."""
    required = [p for p in sheet.parameters if p.required]
    best = [way[0] if (way := sheet.ways[p]) else None for p in required]
    sure = [max(_LEAST, pair[1]) if pair else _LEAST for pair in best]
    return {
        "least sure": min(sure, default=0.0),
        "mean sure": sum(sure) / max(1, len(sure)),
        "unsaid": float(min(3, sum(pair is None or not pair[0].covers for pair in best))),
        "options said": float(min(3, _said(sheet, options=True))),
        "values said": float(min(4, _said(sheet, options=False))),
        "needs": float(min(4, len(required))),
        "needs none": float(not required),
    }


def _said(sheet: Sheet, options: bool) -> int:
    """How many arguments the request names beyond doubt: `miles` and `kilometers` are what a conversion needs."""
    best = (way[0] for p in sheet.parameters if (p.type == "options") is options and (way := sheet.ways[p]))
    return sum(candidate.covers and nats > _CLEAR for candidate, nats in best)
