"""The arguments of a chosen tool: the request's evidence is ranked, the model asked where that leaves doubt.

How many calls the text asks for, and what each could take from it, is worked out by `several`. Where the
best candidate of a parameter is not sure enough, the model says how much likelier each candidate is under
this parameter's name than under those of the others in doubt, and than under none (pointwise mutual
information: what is likely anyway cancels out). One assignment is then made for all parameters of a call
together. What has no candidate at all is written by the model, under its schema.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from linnet.calling.evidence import regions
from linnet.calling.evidence.parameters import Parameter, nested, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.picking import GAIN, picked_value, written
from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidates import OMITTED, Candidate
from linnet.calling.ranking.ranker import Belief, Weights, fitted
from linnet.calling.ranking.several import Draft, drafts
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import Taken
from linnet.calling.retrieve import introduce
from linnet.errors import RemoteCut
from linnet.limits import LIMITS
from linnet.requests import (
    Done,
    Generate,
    Hole,
    Holes,
    Model,
    Number,
    Schema,
    Score,
    Segment,
    Usage,
    complete,
    complete_all,
)
from linnet.tools import Tool

_JUDGED = 6
"""Candidates of a parameter that the model judges."""
_JUDGED_CHARS = 1_200
"""Of a text the beginning is judged; of candidates, those that are no longer."""
_LABEL_CHARS = 120
_WRITTEN_TOKENS = 200


@dataclass(frozen=True)
class Filled:
    """Arguments of one call as JSON values; `told` says in a word where each came from: `evidence`, `guessed` (an
    option that the request does not name), `model` (which of several candidates, or what completes one), or
    `invented` (written by the model without any).
    `sure` is the smallest probability that evidence gave to a required argument. `asked` says whether the model
    was asked anything, though it may not have changed an argument."""

    arguments: dict[str, Any]
    usage: Usage
    told: dict[str, str]
    sure: float = 1.0
    asked: bool = False


class Judgement(NamedTuple):
    """What the model says of a candidate, in nats: of a value, against the mean of those that are judged with it
    (`model`); of leaving the parameter out, against them all (`absent`)."""

    model: float = 0.0
    absent: float = 0.0


def fill(model: Model, tool: Tool, text: str) -> Filled:
    """The arguments of one call of `tool`, from the whole text. The caller validates them in full."""
    sheet = _sheet(tool, text)
    return _filled(model, tool, sheet, Draft(text, sheet.ways))


def fill_all(model: Model, tool: Tool, text: str, around: str = "") -> list[Filled]:
    """The arguments of every call of `tool` that the text asks for; at least one. Where the text is a part of
    a request, `around` is the whole: a required argument that the part does not name is looked for there."""
    sheet = _sheet(tool, text, around)
    return [_filled(model, tool, sheet, draft) for draft in drafts(sheet)]


def _sheet(tool: Tool, text: str, around: str = "") -> Sheet:
    return Sheet(tool, parameters(tool), Reading(text), fitted(), Reading(around) if around else None)


def _filled(model: Model, tool: Tool, sheet: Sheet, draft: Draft) -> Filled:
    writer = _Writer(model, tool, draft.text)
    doubtful = {p: way for p, way in draft.ways.items() if _doubtful(p, way, sheet.weights)}
    found = writer.judge(doubtful) if doubtful else {}
    judged = {p: _weigh(doubtful[p], says, sheet.weights.model[p.type]) for p, says in found.items()}
    taken = replace(draft, ways={**draft.ways, **judged}).taken()
    given = {p: c for p, c in taken.items() if c.value is not OMITTED}
    told = {p.name: "guessed" if c.source == "option" else _by(p, judged) for p, c in given.items()}
    values = {p.path: c.value for p, c in given.items()}
    for parameter, value in writer.completed(given).items():
        values[parameter.path], told[parameter.name] = value, "model"
    for parameter in sheet.parameters:
        if not draft.ways[parameter] and (value := writer.invent(parameter)) is not None:
            values[parameter.path], told[parameter.name] = value, "invented"
    ordered = {p.path: values[p.path] for p in sheet.parameters if p.path in values}
    return Filled(nested(ordered), writer.usage, told, _sureness(draft, taken), writer.asked)


def _by(parameter: Parameter, judged: Mapping[Parameter, Ranked]) -> str:
    return "model" if parameter in judged else "evidence"


def _sureness(draft: Draft, taken: Taken) -> float:
    """The probability that evidence gives to the least sure of the required arguments that were taken."""
    nats = [own for p, c in taken.items() if p.required for candidate, own in draft.ways[p] if candidate is c]
    return math.exp(min(nats, default=0.0))


def _doubtful(parameter: Parameter, way: Ranked, weights: Weights) -> bool:
    kind = parameter.type
    return kind in weights.model and len(way) > 1 and not weights.doubt.settles(kind, way[0][1])


class _Writer:
    """The model as it is asked about one call: the prompt is the same up to the parameter's label."""

    def __init__(self, model: Model, tool: Tool, text: str) -> None:
        self._model = model
        self._tool = Segment(introduce(tool), False)
        self._text = " " + " ".join(text[:_JUDGED_CHARS].split())
        self.usage = Usage()
        self.asked = False

    def judge(self, ways: Mapping[Parameter, Ranked]) -> dict[Parameter, list[Judgement]]:
        """What the model says of the candidates of each, in their order."""
        best = chain.from_iterable(zip_longest(*(way[:_JUDGED] for way in ways.values())))
        texts = (_worded(pair[0].value) for pair in best if pair and pair[0].value is not OMITTED)
        heard = dict.fromkeys(f" {text}\n" for text in texts if text.strip() and len(text) <= _JUDGED_CHARS)
        union = tuple(heard)[: LIMITS.continuations]
        if not union:
            return {}
        if not self._model.capabilities.scores:
            picked = {p: self._picks(p, way, union) for p, way in ways.items()}
            return {
                p: [each._replace(absent=0.0) for each in _judgements(ways[p], nats)]
                for p, nats in picked.items()
                if nats
            }
        labels = [*map(_label, ways), "\ntext:"]
        requests = [Score(self._prompt(label), union, stable=1) for label in labels]
        ends = complete_all(self._model, requests)
        self._note(ends)
        likely = [dict(zip(union, (nats for nats, _ in end.scores), strict=True)) for end in ends]
        return {p: _judgements(way, _information(likely, i)) for i, (p, way) in enumerate(ways.items())}

    def _picks(self, parameter: Parameter, way: Ranked, union: Sequence[str]) -> dict[str, float]:
        """Nats by text of a model that has no likelihoods to give: of a parameter's own candidates it picks one, and
        cannot say that none is right."""
        own = {_worded(candidate.value) for candidate, _ in way[:_JUDGED] if candidate.value is not OMITTED}
        options = [text.strip() for text in union if text.strip() in own]
        if len(options) < 2:
            return {}
        told = self._tool.text, _label(parameter), self._text
        pick, usage = picked_value(self._model, *told, options)
        self.usage, self.asked = self.usage + usage, True
        return {f" {text}\n": GAIN * (text == pick) for text in options}

    def completed(self, given: Mapping[Parameter, Candidate]) -> dict[Parameter, str]:
        """Places with the state or country that their parameter wants and the request does not say."""
        found = {}
        for parameter, candidate in given.items():
            state, country = regions.wanted(parameter)
            if (
                (state or country)
                and candidate.source in ("span", "quoted", "shared")
                and regions.lacks(candidate.value)
                and len(candidate.value) <= _LABEL_CHARS
            ):
                place = f"{candidate.value}, "
                if written := self._written(_label(parameter) + f" {place}", regions.choices(state, country)):
                    found[parameter] = place + written
        return found

    def invent(self, parameter: Parameter) -> Any:
        """A value that the request has no candidate for; None when the model wrote none, and it stays out."""
        try:
            number = Number(integer=parameter.integer)
            constraint = number if parameter.type == "number" else Schema(parameter.schema)
            return json.loads(self._written(f"{_label(parameter)} ", constraint))
        except (ValueError, RecursionError):  # cut off, or nested beyond reason
            return None
        except RemoteCut as cut:
            if not cut.details.get("strayed"):  # the connection was cut, and not the value
                raise
            return None

    def _note(self, ends: Sequence[Done]) -> None:
        self.asked = True
        self.usage = sum((end.usage for end in ends), self.usage)

    def _prompt(self, label: str) -> tuple[Segment, Segment]:
        """The tool, which is the same for every request, apart from the rest."""
        return self._tool, Segment(self._text + label, False)

    def _written(self, label: str, constraint: Any) -> str:
        hole = Holes((Hole("value", constraint),))
        segments = self._prompt(label)
        can = self._model.capabilities
        spoken = not (can.scores and can.rendered)  # and so is asked in messages, or not at all
        prompt = written("".join(one.text for one in segments)) if spoken else segments
        end = complete(
            self._model,
            Generate(prompt, constraint=hole, max_tokens=_WRITTEN_TOKENS, stable=0 if spoken else 1),
        )
        self._note([end])
        return end.captures.get("value", "")


def _label(parameter: Parameter) -> str:
    """A parameter as the beginning of a line that its value ends."""
    return f"\n{parameter.path[-1]} ({parameter.description.split('. ')[0][:_LABEL_CHARS]}):"


def _information(likely: Sequence[Mapping[str, float]], own: int) -> dict[str, float]:
    """Nats that this label adds to each text's likelihood, against the mean of all other labels."""
    found = {}
    for text, nats in likely[own].items():
        others = [row[text] for i, row in enumerate(likely) if i != own]
        top = max(others)
        found[text] = nats - top - math.log(sum(math.exp(other - top) for other in others) / len(others))
    return found


def _judgements(way: Ranked, information: Mapping[str, float]) -> list[Judgement]:
    gains = [information.get(f" {_worded(c.value)}\n") if c.value is not OMITTED else None for c, _ in way[:_JUDGED]]
    known = [gain for gain in gains if gain is not None]
    mean = sum(known) / len(known) if known else 0.0
    gains += [None] * (len(way) - len(gains))
    return [
        Judgement(absent=-mean) if candidate.value is OMITTED else Judgement(gain - mean if gain is not None else 0.0)
        for (candidate, _), gain in zip(way, gains, strict=True)
    ]


def _weigh(way: Ranked, says: Sequence[Judgement], belief: Belief) -> Ranked:
    """The candidates with what the model says of them counted in."""
    weighed = [
        (candidate, belief.evidence * nats + belief.model * judged.model + belief.absent * judged.absent)
        for (candidate, nats), judged in zip(way, says, strict=True)
    ]
    return sorted(weighed, key=lambda pair: -pair[1])


def _worded(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(map(_worded, value)) if isinstance(value, list) else json.dumps(value)
