"""Tools made up out of acts: the same act by many authors, who name, describe and type it in their own ways.

Names are sometimes cut short or mean nothing, so that only what is described tells what is for what.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linnet.evals.training.synthesis import voices
from linnet.evals.training.synthesis.catalogue import Act, Slot, acts
from linnet.evals.training.synthesis.naming import Style, cased
from linnet.evals.training.synthesis.pools import Pool, Said
from linnet.messages import ToolSpec

MOST_PARAMETERS = 6
_OBJECTS = ("options", "details", "filter", "params", "settings", "where", "info")
_FORMS = {
    "%Y-%m-%d": "YYYY-MM-DD",
    "%d/%m/%Y": "DD/MM/YYYY",
    "%m/%d/%Y": "MM/DD/YYYY",
    "%Y/%m/%d": "YYYY/MM/DD",
}
_FRACTION = "fraction"
_TEXTS = frozenset("person city country venue hotel company product dish file path url street plant animal".split())


@dataclass(frozen=True)
class Place:
    """Where a slot's value goes among a tool's arguments. `form` is that of strftime for a date, or `fraction`
    for per cents that are wanted as a part of one."""

    path: tuple[str, ...]
    slot: Slot
    schema: dict[str, Any]
    required: bool
    form: str = ""

    def value(self, pool: Pool) -> Said:
        said = pool.value(self.slot.kind, self.schema, self.form)
        return replace(said, value=round(said.value / 100, 6)) if self.form == _FRACTION else said


@dataclass(frozen=True)
class Skill:
    """A tool, the act that people want from it, and the places of its arguments."""

    spec: ToolSpec
    act: Act
    places: tuple[Place, ...]

    def arguments(self, said: Mapping[str, Said]) -> dict[str, Any]:
        """What these values by slot are as arguments, in the order of the places."""
        found: dict[str, Any] = {}
        for place in self.places:
            if place.slot.key in said:
                inside = found
                for step in place.path[:-1]:
                    inside = inside.setdefault(step, {})
                inside[place.path[-1]] = said[place.slot.key].value
        return found


def toolbox(count: int, seed: int) -> tuple[Skill, ...]:
    """So many tools of all domains in turn, each with a name of its own."""
    found: dict[str, Skill] = {}
    for number, act in enumerate(_round(acts(), count, random.Random(f"{seed} acts"))):
        draw = random.Random(f"{seed} tool {number}")
        skill = make(act, draw)
        while skill.spec.name in found:
            skill = replace(skill, spec=replace(skill.spec, name=f"{skill.spec.name}{draw.randint(2, 99)}"))
        found[skill.spec.name] = skill
    return tuple(found.values())


def _round(known: Sequence[Act], count: int, draw: random.Random) -> Iterator[Act]:
    left = count
    while left > 0:
        turn = draw.sample(known, len(known))[:left]
        left -= len(turn)
        yield from turn


def make(act: Act, draw: random.Random) -> Skill:
    """One author's tool for an act."""
    style = Style.drawn(draw)
    places = [_place(slot, slot.key in act.required, style, draw) for slot in _slots(act, draw)]
    places = _wrapped(_distinct(places, style), draw)
    if draw.random() < 0.25:
        draw.shuffle(places)
    name = style.tool(act.name, act.domain, draw)
    return Skill(ToolSpec(name, voices.tool(act.does, act.domain, draw), _parameters(places)), act, tuple(places))


def _slots(act: Act, draw: random.Random) -> list[Slot]:
    optional = [slot for slot in act.slots if slot.key not in act.required and draw.random() < 0.65]
    kept = {slot.key for slot in optional} | act.required or {act.slots[0].key}
    return [slot for slot in act.slots if slot.key in kept][:MOST_PARAMETERS]


def _place(slot: Slot, required: bool, style: Style, draw: random.Random) -> Place:
    about = draw.choice(slot.about)
    schema, form = _typed(slot, draw)
    if form in _FORMS:
        about = about.replace("YYYY-MM-DD", _FORMS[form]).replace("in ISO form", "in the form")
    if form == _FRACTION:
        about = f"{about.split(' in ')[0].split(' as ')[0]} as a fraction, 0.05 for 5 percent"
    if (
        not required
        and "default" not in schema
        and draw.random() < 0.35
        and (default := _default(schema)) is not None
    ):
        schema["default"] = default
    example = ""
    if slot.kind in _TEXTS and draw.random() < 0.25:
        example = Pool(draw).value(slot.kind, {}).text
    names = [each for each in slot.names if form != _FRACTION or not re.search("percent|pct", each)]
    name = style.parameter(draw.choice(names or ["share"]), draw)
    if style.blank or form or draw.random() < 0.93:
        schema = {"description": voices.parameter(about, schema, example, draw), **schema}
    return Place((name,), slot, schema, required or draw.random() < 0.05, form)


def _typed(slot: Slot, draw: random.Random) -> tuple[dict[str, Any], str]:
    """A schema for the kind of value, and the form of the value where the kind has several."""
    kind = slot.kind
    name = kind.split(":")[0]
    if kind.startswith("["):
        return {"type": "array", "items": _typed(replace(slot, kind=kind[1:-1]), draw)[0]}, ""
    if "|" in kind and not kind.startswith("~"):
        options = kind.split("|")
        style = draw.choice(("plain", "plain", "plain", "snake", "upper", "camel"))
        if style != "plain" and all(option.replace(" ", "").isalpha() and option.islower() for option in options):
            options = [cased(option.split(), style) for option in options]
        return {"type": "string", "enum": options}, ""
    match name:
        case "yes":
            return {"type": "boolean"}, ""
        case "int" | "year":
            return {"type": "integer" if draw.random() < 0.92 else "number"}, ""
        case "num":
            return {"type": "number"}, ""
        case "money":
            return {"type": "number" if draw.random() < 0.75 else "integer"}, ""
        case "percent":
            fraction = draw.random() < 0.12
            return {"type": "number" if fraction or draw.random() < 0.5 else "integer"}, _FRACTION if fraction else ""
        case "date":
            iso = draw.random() < 0.75
            form = "%Y-%m-%d" if iso else draw.choice(tuple(_FORMS))
            return {
                "type": "string",
                **({"format": "date"} if form == "%Y-%m-%d" and draw.random() < 0.2 else {}),
            }, form
    return {"type": "string"}, ""


def _default(schema: Mapping[str, Any]) -> Any:
    match schema:
        case {"enum": [first, *_]}:
            return first
        case {"type": "boolean"}:
            return False
        case {"type": "integer"}:
            return 1
    return None


def _distinct(places: list[Place], style: Style) -> list[Place]:
    """Names that come twice get the words of their slot, then a number."""
    found: dict[str, Place] = {}
    for place in places:
        name = place.path[0]
        if name in found:
            name = cased([*place.slot.key.split("_")], "snake" if style.case == "upper" else style.case)
        while name in found:
            name = f"{name}{len(found) + 1}"
        found[name] = replace(place, path=(name,))
    return list(found.values())


def _wrapped(places: list[Place], draw: random.Random) -> list[Place]:
    """Now and then the last arguments stand in an object of their own."""
    if len(places) < 3 or draw.random() > 0.07:
        return places
    outer = draw.choice([name for name in _OBJECTS if all(name != place.path[0] for place in places)])
    return [*places[:-2], *(replace(place, path=(outer, *place.path)) for place in places[-2:])]


def _parameters(places: Sequence[Place]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for place in places:
        if len(place.path) == 1:
            properties[place.path[0]] = place.schema
            required += [place.path[0]] if place.required else []
            continue
        outer = {"type": "object", "properties": {}, "required": [], "description": "Further values."}
        inner = properties.setdefault(place.path[0], outer)
        inner["properties"][place.path[1]] = place.schema
        if place.required:
            inner["required"].append(place.path[1])
            required += [place.path[0]] if place.path[0] not in required else []
    return {"type": "object", "properties": properties, "required": required}
