"""What people say when they want a tool of somebody's own: the act that it is most like lends it its phrases.

A tool that is like no act is asked for in the words of its own description; a parameter that is like no slot, by its
name.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from linnet.calling.evidence import codes, dates
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.stems import stem
from linnet.evals.training.synthesis.catalogue import Act, Phrase, Slot, acts, slots
from linnet.evals.training.synthesis.pools import Pool, plain_option
from linnet.evals.training.synthesis.toolmaking import Place, Skill
from linnet.evals.training.synthesis.voices import imperative
from linnet.tools import Tool

_LIKE = 0.6
"""Likeness of a tool and an act, from 0 to 1, over which the act's phrases are used."""
_SLOT_LIKE = 0.5
_FEW = 4
"""Phrases of an act below which a tool's own words are used as well."""
_TYPES = {
    "yes": ("boolean",),
    "int": ("number",),
    "num": ("number",),
    "money": ("number",),
    "percent": ("number",),
    "year": ("number",),
}
_AS_SAID = {
    "date": "day",
    "time24": "clock",
    "currency": "currencyname",
    "langcode": "language",
    "countrycode": "country",
}
"""Kinds with a form of their own, and what people say."""
_WAYS = ("with {label} {{}}", "{label} {{}}", "with the {label} {{}}", "and {label} {{}}")


def skill_of(tool: Tool) -> tuple[Skill, str]:
    """A tool as somebody wants it, and the name of the act that it was found to be like; empty for none.

    Raises ValueError for a required parameter that no words stand for, such as an object without properties, and for
    one that allows no value that people would say.
    """
    places = [p for p in parameters(tool) if _sayable(p) or p.required]
    if lost := [p.name for p in places if not _sayable(p)]:
        raise ValueError(f"no request can be made up for its parameter {lost[0]}")
    act, pairs = max(((act, _pairs(act, places)) for act in acts()), key=lambda one: _likeness(tool, *one))
    like = _likeness(tool, act, pairs) >= _LIKE
    act, pairs = (act, pairs) if like else (replace(act, domain="own", phrases=(), given_by={}), {})
    found = [_place(parameter, pairs.get(parameter)) for parameter in places]
    free = _distinct([place.slot for place in found])
    found = [replace(place, slot=slot) for place, slot in zip(found, free, strict=True)]
    for place in found:
        place.value(Pool(random.Random(tool.name)))  # raises where its schema lets nothing through
    return Skill(tool.spec, _with_slots(act, found, tool), tuple(found)), act.name if like else ""


def _sayable(parameter: Parameter) -> bool:
    schema = parameter.schema
    if schema.get("format") == "date-time":
        return False
    if {"anyOf", "oneOf", "allOf", "pattern", "const"} & schema.keys() or parameter.type in ("object", "null"):
        return False
    return parameter.type != "array" or parameter.element.type in ("string", "number", "options")


# --- likeness ------------------------------------------------------------------------------------


def _likeness(tool: Tool, act: Act, pairs: Mapping[Parameter, Slot]) -> float:
    """Rare words count more. What the parameters are counts a third. Without the verb and the thing in common two
    are not alike at all."""
    own = set(words(f"{tool.name.replace('.', ' ')} {tool.description}"))
    told = _told(act)
    weight = _weights()
    whole = sum(weight.get(word, 3.0) for word in own) or 1.0
    shared = sum(weight.get(word, 3.0) for word in own & told) / whole
    name = set(words(act.name))
    named = len(name & own) / (len(name) or 1)
    needed = [slot for slot in act.slots if slot.key in act.required]
    fit = sum(slot in pairs.values() for slot in needed) / (len(needed) or 1)
    alike = named and _verbs_of(tool) & _verbs(act) and own & _things(act)
    return (shared + named + fit) / 3 if alike else 0.0


def _verbs_of(tool: Tool) -> frozenset[str]:
    """What a tool does in a word: the first one of its description, and of its name."""
    does = imperative(tool.description.strip() or tool.name).lower().split()
    return frozenset(stem(word) for word in (*does[:1], *words_of(tool.name)[:1]))


@cache
def _things(act: Act) -> frozenset[str]:
    """What an act is done to, and the like: all but the verb of its name and of what it does."""
    return frozenset(words(" ".join((*act.name.split()[1:], *act.does.split()[1:]))))


@cache
def _verbs(act: Act) -> frozenset[str]:
    orders = (phrase.text.split()[0] for phrase in act.phrases if phrase.form == "order")
    return frozenset(stem(word) for word in (*orders, act.name.split()[0]))


@cache
def _all_verbs() -> frozenset[str]:
    return frozenset().union(*(_verbs(act) for act in acts()))


@cache
def _told(act: Act) -> frozenset[str]:
    return frozenset(words(" ".join((act.name, act.does, *(p.text for p in act.phrases)))))


@cache
def _weights() -> dict[str, float]:
    counts = Counter(word for act in acts() for word in _told(act))
    return {word: math.log(len(acts()) / count) for word, count in counts.items()}


def _pairs(act: Act, own: Sequence[Parameter]) -> dict[Parameter, Slot]:
    """Which parameter is which slot of an act: the best pair first, each once."""
    scored = [(slot_likeness(p, slot), p.index, -i, p, slot) for p in own for i, slot in enumerate(act.slots)]
    found: dict[Parameter, Slot] = {}
    for score, _, _, parameter, slot in sorted(scored, key=lambda row: (-row[0], row[1], -row[2])):
        if score > 0.2 and parameter not in found and slot not in found.values():
            found[parameter] = slot
    return found


def slot_likeness(parameter: Parameter, slot: Slot) -> float:
    """0 where the types differ; 1 for one of the slot's own names."""
    if not _fits(parameter, slot):
        return 0.0
    name, (names, about) = _named(parameter.path[-1]), _slot_words(slot)
    best = max((len(name & each) / len(name | each) for each in names), default=0.0)
    told = set(words(parameter.description))
    shared = len(about & told) / (len(told) or 1)
    options = 0.3 * _options_meet(parameter, slot)
    return max(best, 0.15) * 0.7 + shared * 0.3 + options


def _named(name: str) -> frozenset[str]:
    return frozenset(words(name)) or frozenset({name.lower()})


@cache
def _slot_words(slot: Slot) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """Words of each of its names, and of what it is said to be: the same for every parameter."""
    return tuple(_named(name) for name in slot.names), frozenset(words(" ".join(slot.about)))


def _options_meet(parameter: Parameter, slot: Slot) -> bool:
    known = {plain_option(option) for option in parameter.schema.get("enum", ())}
    return bool(known & set(slot.kind.split("|"))) or (slot.kind in ("unit", "unit2") and "kilometers" in known)


def _fits(parameter: Parameter, slot: Slot) -> bool:
    kind = slot.kind.split(":")[0]
    if kind.startswith("["):
        return parameter.type == "array"
    if parameter.type == "options":
        return kind not in _TYPES and not kind.startswith("~")
    return parameter.type in _TYPES.get(kind, ("string",))


# --- places --------------------------------------------------------------------------------------


def _place(parameter: Parameter, slot: Slot | None) -> Place:
    slot = slot or _nearest(parameter)
    if parameter.type == "string" and parameter.examples and slot.kind == "topic":
        slot = replace(slot, kind="~" + "|".join(parameter.examples))
    kind, form = _formed(parameter, slot.kind)
    return Place(parameter.path, replace(slot, kind=kind), dict(parameter.schema), parameter.required, form)


def _formed(parameter: Parameter, kind: str) -> tuple[str, str]:
    """The kind of value by the form that a parameter asks for, and that form where it is a date's: what asks for none
    takes a day, a time, a language as it is said."""
    form = next(iter(dates.forms(parameter)), "") if dates.asked(parameter) else ""
    if kind in ("date", "day", "moment") and "%d" in form:
        return "date", form
    if kind in ("clock", "time24", "moment") and form == "%H:%M":
        return "time24", ""
    if kind in _AS_SAID and (kind in ("date", "time24") or not codes.tables(parameter)):
        return _AS_SAID[kind], ""
    return kind, ""


def _nearest(parameter: Parameter) -> Slot:
    """The slot of any act that is most like it; where none is, one by its type, said by its name."""
    best = max(slots().values(), key=lambda slot: slot_likeness(parameter, slot))
    if slot_likeness(parameter, best) >= _SLOT_LIKE:
        return best
    label = re.sub(r"[^\w ]", " ", plain_option(parameter.path[-1])).strip() or "value"
    kinds = {"boolean": "yes", "number": "int:1:60", "array": "[topic]", "options": "options"}
    ways = tuple(way.format(label=label) for way in _WAYS)
    kind = kinds.get(parameter.type, "topic")
    yes, no = (f"with {label}", f"{label} on"), (f"without {label}", f"no {label}")
    return Slot(label.replace(" ", "_"), kind, (label,), (label,), yes if kind == "yes" else ways, no)


def _distinct(found: Sequence[Slot]) -> list[Slot]:
    """No key twice."""
    seen: Counter[str] = Counter()
    made = []
    for slot in found:
        made.append(replace(slot, key=f"{slot.key}_{seen[slot.key]}") if seen[slot.key] else slot)
        seen[slot.key] += 1
    return made


def _with_slots(act: Act, places: Sequence[Place], tool: Tool) -> Act:
    """The act with the places' slots. Phrases that say slots which the tool has not are dropped, and where few are
    left, the tool's own words are added."""
    keys = {place.slot.key for place in places}
    lost = {slot.key for slot in act.slots} - keys
    phrases = tuple(p for p in act.phrases if not p.places & lost)
    phrases += _own(tool) if len(phrases) < _FEW else ()
    name = act.name if act.phrases else " ".join(words_of(tool.name))
    required = frozenset(place.slot.key for place in places if place.required)
    given_by = {key: by for key, by in act.given_by.items() if key in keys and by in keys}
    return replace(
        act, name=name, phrases=phrases, slots=tuple(p.slot for p in places), required=required, given_by=given_by
    )


def _own(tool: Tool) -> tuple[Phrase, ...]:
    """Phrases out of a tool's own words: its description as an order, its name as one or as a thing."""
    name = " ".join(words_of(tool.name))
    order = imperative(re.split(r"[.:;,({}\n]", tool.description)[0].strip())
    orders = [order[:1].lower() + order[1:]] if len(order.split()) > 1 else []
    if stem(name.split()[0]) in _all_verbs() or not orders:
        return tuple(Phrase("order", text) for text in (*orders, name))
    return (*(Phrase("order", text) for text in orders), Phrase("noun", f"the {name}"))


def words_of(name: str) -> list[str]:
    """`weather.getForecast` -> get forecast."""
    return plain_option(name.split(".")[-1]).lower().split() or [name]
