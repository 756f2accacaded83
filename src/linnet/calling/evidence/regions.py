"""Places that a parameter wants with their state or country, and a request names without: `Austin` as `Austin, TX`.

Towns of some size are known (`towns`). Of others the model chooses the state or country.
"""

from __future__ import annotations

import re
from functools import lru_cache

from linnet.calling.evidence.codes import known_place
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.towns import town
from linnet.requests import Choice

_STATE_EXAMPLE = re.compile(r"[A-Z][\w .]+,\s?[A-Z]{2}\Z")
_COUNTRY_EXAMPLE = re.compile(r"[A-Z][\w .]+,\s?(?:[A-Z][a-z]{3,}|[A-Z]{2}\Z)")
_ASKS_STATE = re.compile(r"\bcity,\s*state\b|\bcity and state\b", re.IGNORECASE)
_ASKS_COUNTRY = re.compile(r"\bcity,\s*country\b|\bcity and country\b", re.IGNORECASE)


def wanted(parameter: Parameter) -> tuple[bool, bool]:
    """`(state, country)`: what a text parameter wants behind the name of a town."""
    if parameter.type != "string":
        return False, False
    told, examples = parameter.description, parameter.examples
    state = bool(_ASKS_STATE.search(told)) or any(_STATE_EXAMPLE.match(e) for e in examples)
    country = bool(_ASKS_COUNTRY.search(told)) or any(
        _COUNTRY_EXAMPLE.match(e) and not _STATE_EXAMPLE.match(e) for e in examples
    )
    return state, country


def completed(said: str, parameter: Parameter) -> str | None:
    """A known town with the state or country that the parameter wants; None for all else."""
    state, country = wanted(parameter)
    if not (state or country):
        return None
    known = town(said)
    if known is None:
        return None
    name = " ".join(said.split())
    if name.isupper() or name.islower():
        name = known.name if known.name.lower() == name.lower() else known.name.removesuffix(" City")
    return f"{name}, {known.state if state and known.state else known.country}"


def lacks(place: str) -> bool:
    """Whether a place is told without its state or country, and is neither."""
    return "," not in place and not known_place(place) and not any(character.isdigit() for character in place)


def choices(state: bool, country: bool) -> Choice:
    """What may stand behind the comma."""
    states, countries = _known()
    return Choice((*(states if state else ()), *(countries if country else ())))


@lru_cache(maxsize=1)
def _known() -> tuple[tuple[str, ...], tuple[str, ...]]:
    import pycountry

    states = (s.code[3:] for s in pycountry.subdivisions if s.country_code == "US" and s.type == "State")
    countries = sorted({getattr(c, "common_name", c.name) for c in pycountry.countries if "," not in c.name})
    return (*sorted(states), "DC"), (*countries, "UK", "USA")
