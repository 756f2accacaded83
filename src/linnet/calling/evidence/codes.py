"""Codes for what a request calls by name: currencies, countries, languages, the states of the USA.

The tables are those of `pycountry` (ISO 4217, 3166, 639), loaded when a parameter first asks for a code.
"""

from __future__ import annotations

import re
from functools import lru_cache

from linnet.calling.evidence.parameters import Parameter

_CODE = re.compile(r"[A-Z]{2,3}|[a-z]{2}\Z")
_ASKS = re.compile(
    r"\b(?:code|abbreviat\w*|abbr|iso|two[- ]letter|three[- ]letter|2[- ]letter|3[- ]letter)\b", re.IGNORECASE
)
_CODED = re.compile(r"code|iso")
_USUAL = {
    "currency": {
        "us dollars": "USD", "dollars": "USD", "dollar": "USD", "pounds": "GBP", "pound": "GBP",
        "british pounds": "GBP", "british pound": "GBP", "pounds sterling": "GBP", "yuan": "CNY", "rmb": "CNY",
        "rupees": "INR", "won": "KRW", "yen": "JPY", "japanese yen": "JPY", "euros": "EUR", "swiss francs": "CHF",
        "pesos": "MXN", "rubles": "RUB", "reais": "BRL", "zloty": "PLN",
    },
    "country": {
        "uk": "GB", "england": "GB", "britain": "GB", "great britain": "GB", "usa": "US", "us": "US", "america": "US",
        "united states of america": "US", "russia": "RU", "south korea": "KR", "vietnam": "VN",
    },
    "language": {"mandarin": "zh", "farsi": "fa"},
    "state": {},
}  # fmt: skip
TABLES = tuple(_USUAL)
"""Names of the tables."""


def tables(parameter: Parameter) -> tuple[str, ...]:
    """Which tables a text parameter wants codes from."""
    about = " ".join((*parameter.path, parameter.description)).lower()
    name = parameter.path[-1].lower()
    like_codes = any(_CODE.fullmatch(example) for example in parameter.examples)
    if not (like_codes or _ASKS.search(about.replace("_", " "))):
        return ("currency",) if "currency" in name else ()
    return tuple(table for table in _USUAL if table in name or (_CODED.search(name) and table in about))


def code(name: str, table: str, long: bool = False) -> str | None:
    """The code of a name, None for what is no name; `long` for three letters where there are two sorts."""
    found = _table(table).get(" ".join(name.lower().split()))
    return found[1 if long else 0] if found else None


@lru_cache(maxsize=8)
def _table(table: str) -> dict[str, tuple[str, str]]:
    import pycountry

    match table:
        case "currency":
            rows = [(c.name, c.alpha_3, c.alpha_3) for c in pycountry.currencies]
            rows += [(f"{name}s", a, b) for name, a, b in rows]
        case "country":
            rows = [
                (name, c.alpha_2, c.alpha_3)
                for c in pycountry.countries
                for name in (c.name, getattr(c, "common_name", c.name))
            ]
        case "language":
            rows = [(c.name, c.alpha_2, c.alpha_3) for c in pycountry.languages if hasattr(c, "alpha_2")]
        case _:
            rows = [(s.name, s.code[3:], s.code[3:]) for s in pycountry.subdivisions if s.country_code == "US"]
    usual = {name: (found, found) for name, found in _USUAL[table].items()}
    return {name.lower(): (short, long) for name, short, long in rows} | usual


def known_place(name: str) -> bool:
    """Whether a name is that of a country or of a state of the USA."""
    return code(name, "country") is not None or code(name, "state") is not None
