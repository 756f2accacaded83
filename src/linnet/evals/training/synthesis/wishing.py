"""Which arguments a wish names, and what their values are together: different, in order, none that denies another."""

from __future__ import annotations

import datetime
import random
from dataclasses import replace
from typing import Any

from linnet.evals.training.synthesis import times
from linnet.evals.training.synthesis.phrasings import Wish
from linnet.evals.training.synthesis.pools import Pool, Said
from linnet.evals.training.synthesis.toolmaking import Place, Skill

_ORDERED = (("from_date", "to_date"), ("price_min", "price_max"), ("lowest", "highest"))
_NAMED = (0.0, 0.3, 0.5, 0.7, 1.0)


def wish(skill: Skill, draw: random.Random, lower: bool = False) -> Wish:
    """A wish with a value for each required argument, and for some of the others."""
    pool, named = Pool(draw), draw.choice(_NAMED)
    chosen = [place for place in skill.places if place.required or draw.random() < named]
    said = {place.slot.key: place.value(pool) for place in chosen}
    said = _agreed(skill, _ordered(skill, said), draw)
    return Wish(skill, {key: value.lowered() for key, value in said.items()} if lower else said)


def varied(first: Wish, key: str, draw: random.Random, lower: bool = False) -> Wish:
    """The same wish with another value in one slot."""
    place = _place(first.skill, key)
    pool = Pool(draw)
    said = place.value(pool)
    for _ in range(4):
        if said.text.lower() != first.said[key].text.lower():
            break
        said = place.value(pool)
    return replace(first, said={**first.said, key: said.lowered() if lower else said})


def _place(skill: Skill, key: str) -> Place:
    return next(place for place in skill.places if place.slot.key == key)


def _ordered(skill: Skill, said: dict[str, Said]) -> dict[str, Said]:
    """What begins comes before what ends."""
    for low, high in _ORDERED:
        if low in said and high in said:
            first, last = _place(skill, low).form, _place(skill, high).form
            begin, end = _known(said[low], first), _known(said[high], last)
            if begin > end:
                said = {**said, low: _written(said[high], end, first), high: _written(said[low], begin, last)}
    return said


def _known(said: Said, form: str) -> Any:
    """What a date or a number can be compared by."""
    return datetime.datetime.strptime(said.value, form) if form else said.value


def _written(said: Said, known: Any, form: str) -> Said:
    """A date in the form that its new place wants; a number as it is."""
    return replace(said, value=known.strftime(form)) if isinstance(known, datetime.datetime) else said


def _agreed(skill: Skill, said: dict[str, Said], draw: random.Random) -> dict[str, Said]:
    """What one slot says by being said, the other does not deny; what comes back says when in one phrase."""
    for key, by in skill.act.given_by.items():
        if by in said and key in said:
            said = {**said, key: replace(said[key], value=True)}
    if "moment" in said and "repeat" in said and said["repeat"].value in ("daily", "weekly") and draw.random() < 0.7:
        text, bare = (times.daily if said["repeat"].value == "daily" else times.weekly)(draw)
        said = {**said, "moment": Said(text, bare), "repeat": replace(said["repeat"], text="")}
    return said
