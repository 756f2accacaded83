"""The arguments of a chosen tool: the request's evidence is ranked, the model asked where that leaves doubt.

Each parameter has candidates (`candidates`), ranked by fitted weights (`ranker`). Where the best is not sure
enough, the model says how much likelier each candidate is under this parameter's name than under the names
of the others in doubt, and than under none (pointwise mutual information: what is likely anyway cancels out).
One assignment is then made for all parameters together. What has no candidate at all is written by the
model, under its schema.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.assign import Ranked, assign
from linnet.calling.candidates import OMITTED, candidates
from linnet.calling.choose import introduce
from linnet.calling.features import Scene
from linnet.calling.parameters import Parameter, nested, parameters
from linnet.calling.ranker import Weights, fitted, logits, ranked
from linnet.calling.reading import Reading
from linnet.requests import Generate, Hole, Holes, Model, Schema, Score, Segment, Usage, complete, complete_all
from linnet.tools import Tool

SURE = 0.8
"""Probability of a parameter's best candidate over which the model is not asked about it."""

_JUDGED = 6
"""Candidates of a parameter that the model judges."""
_JUDGED_CHARS = 1_200
_LABEL_CHARS = 120
_WRITTEN_TOKENS = 200


@dataclass(frozen=True)
class Filled:
    """Arguments as JSON values; `told` says in a word where each came from: evidence, model (which of several
    candidates), or invented (no candidate: written by the model). `score` are the nats that speak for them."""

    arguments: dict[str, Any]
    usage: Usage
    told: dict[str, str]
    score: float = 0.0


def fill(model: Model, tool: Tool, request: str) -> Filled:
    """Arguments for `tool`, from the request alone. The caller validates them in full."""
    found = {parameter: () for parameter in parameters(tool)}
    reading, weights = Reading(request), fitted()
    scene = Scene(tool, tuple(found), reading)
    ways: dict[Parameter, Ranked] = {}
    for parameter in found:
        options = candidates(parameter, reading)
        ways[parameter] = ranked(options, logits(scene, parameter, options, weights))
    doubtful = [p for p, way in ways.items() if _doubtful(p, way, weights)]
    usage = Usage()
    if doubtful:
        judged, usage = _judge(model, tool, request, {p: ways[p] for p in doubtful}, weights)
        ways |= judged
    offered = {parameter: way for parameter, way in ways.items() if way}
    best = assign(offered)
    values = dict(zip(offered, best.chosen, strict=True)) if best else {}
    told = {p.name: "model" if p in doubtful else "evidence" for p, c in values.items() if c.value is not OMITTED}
    arguments = {p.path: c.value for p, c in values.items() if c.value is not OMITTED}
    for parameter in ways:
        if parameter not in offered:
            value, spent = _write(model, tool, request, parameter)
            usage, told[parameter.name] = usage + spent, "invented"
            arguments[parameter.path] = value
    ordered = {p.path: arguments[p.path] for p in ways if p.path in arguments}
    return Filled(nested(ordered), usage, told, best.score if best else 0.0)


def _doubtful(parameter: Parameter, way: Ranked, weights: Weights) -> bool:
    return parameter.type in weights.model and len(way) > 1 and math.exp(way[0][1]) < SURE


# --- asking the model ----------------------------------------------------------------------------


def _judge(
    model: Model, tool: Tool, request: str, ways: Mapping[Parameter, Ranked], weights: Weights
) -> tuple[dict[Parameter, Ranked], Usage]:
    """The ways with the model's judgement counted in."""
    texts = {p: [_said(c.value) for c, _ in way[:_JUDGED] if c.value is not OMITTED] for p, way in ways.items()}
    union = tuple(dict.fromkeys(f" {text}\n" for said in texts.values() for text in said if text.strip()))
    if not union:
        return {}, Usage()
    before = f"{introduce(tool)} {' '.join(request[:_JUDGED_CHARS].split())}"
    labels = [*map(label, ways), "\ntext:"]
    ends = complete_all(model, [Score((Segment(before + l, False),), union) for l in labels])
    likely = [dict(zip(union, (nats for nats, _ in end.scores), strict=True)) for end in ends]
    usage = sum((end.usage for end in ends), Usage())
    judged = {
        p: _weigh(way, _information(likely, i), weights.model[p.type]) for i, (p, way) in enumerate(ways.items())
    }
    return judged, usage


def label(parameter: Parameter) -> str:
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


def _weigh(way: Ranked, information: Mapping[str, float], trust: tuple[float, float]) -> Ranked:
    own, judged = trust
    gains = [information.get(f" {_said(c.value)}\n") if c.value is not OMITTED else None for c, _ in way[:_JUDGED]]
    known = [gain for gain in gains if gain is not None]
    mean = sum(known) / len(known) if known else 0.0
    gains += [None] * (len(way) - len(gains))
    weighed = [
        (candidate, own * nats + (judged * (gain - mean) if gain is not None else 0.0))
        for (candidate, nats), gain in zip(way, gains, strict=True)
    ]
    return sorted(weighed, key=lambda pair: -pair[1])


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(map(_said, value)) if isinstance(value, list) else json.dumps(value)


def _write(model: Model, tool: Tool, request: str, parameter: Parameter) -> tuple[Any, Usage]:
    """A value that the request has no candidate for."""
    before = f"{introduce(tool)} {' '.join(request[:_JUDGED_CHARS].split())}{label(parameter)} "
    hole = Hole("value", Schema(parameter.schema))
    end = complete(model, Generate((Segment(before, False),), constraint=Holes((hole,)), max_tokens=_WRITTEN_TOKENS))
    try:
        return json.loads(end.captures.get("value", "")), end.usage
    except ValueError:
        return None, end.usage


