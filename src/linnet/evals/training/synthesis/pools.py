"""The values of one request: of any kind, within what a schema allows.

What a pool has drawn it hardly ever draws again, so that two arguments of one request mostly differ; units of one
request measure the same.
"""

from __future__ import annotations

import math
import random
import re
import string
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linnet.evals.training.synthesis import amounts, times
from linnet.evals.training.synthesis.things import MAKERS, Said, firm, pool, table
from linnet.schema import problems, shown

__all__ = ["Pool", "Said", "Unsayable", "plain_option"]

_TRIES = 16
_TWICE = 0.15
"""How often a value that comes twice stays: `two rooms for two nights`."""
_JOINTS = ("{} and {}",) * 10 + ("{}, {}",) * 3 + ("{} & {}",)
_LONG_JOINTS = (*_JOINTS, *("{}, and {}",) * 5)
_PLAIN = frozenset(("type", "description", "default", "format"))
"""Keywords of a schema that every value of its kind fits."""
_ARTICLE = re.compile(r"(?:the|an?) (?=\S)")


class Unsayable(ValueError):
    """No value of a kind fits a schema."""


class Pool:
    """The values of one request."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._used: set[str] = set()
        self._measure = draw.choice(tuple(table("units")))

    def value(self, kind: str, schema: Mapping[str, Any], form: str = "") -> Said:
        """A value of a kind that goes with a schema: one of its options, in its range, of its type. `form` is that
        of strftime for a date. For the kind `yes` there is no text: its slot has ways to say yes and no. Raises
        Unsayable where nothing that is drawn fits the schema."""
        fitting = None
        for _ in range(_TRIES):
            said = _without_article(self._once(kind, schema, form))
            if schema.keys() <= _PLAIN or not any(problems(said.value, dict(schema))):
                fitting = said
                if said.text.lower() not in self._used or self._draw.random() < _TWICE:
                    break
        if fitting is None:
            raise Unsayable(f"nothing of the kind {kind} fits {shown(schema)}")
        self._used.add(fitting.text.lower())
        return fitting

    def _once(self, kind: str, schema: Mapping[str, Any], form: str) -> Said:
        if schema.get("enum"):
            return self._option(list(schema["enum"]), kind)
        if kind.startswith("["):
            return self._list(kind[1:-1], schema)
        if kind.startswith("~"):
            return Said(text := self._draw.choice(kind[1:].split("|")), text)
        name, *bounds = kind.split(":")
        if name in ("int", "num", "money", "percent", "year"):
            return self._number(name, bounds, schema)
        if "|" in kind:
            return self._option(kind.split("|"), kind)
        if name == "yes":
            return Said("", self._draw.random() < 0.6)
        if name == "date":
            return Said(*times.date(self._draw, form or "%Y-%m-%d"), firm=True)
        if name == "code":
            return firm(self._code(bounds[0]))
        make = MAKERS.get(name)
        return make(self._draw) if make else self._word(name)

    # --- options and units

    def _option(self, options: list[Any], kind: str) -> Said:
        """One of the options, in the words that people have for it. Of units, one that measures the same."""
        if kind in ("unit", "unit2"):
            alike = [option for option in options if plain_option(option) in table("units")[self._measure]]
            if not alike:
                self._measure = next((m for m, words in table("units").items() if _meet(options, words)), "")
                alike = [
                    option for option in options if plain_option(option) in table("units").get(self._measure, ())
                ]
            options = [option for option in alike if f" {option}" not in self._used] or options
        option = self._draw.choice(options)
        self._used.add(f" {option}")
        plain = plain_option(option)
        others = table("words").get(plain, ())
        return Said(self._draw.choice(others) if others and self._draw.random() < 0.4 else plain, option, firm=True)

    def _unit(self) -> Said:
        return self._option(list(table("units")[self._measure]), "unit")

    # --- numbers, codes, lists

    def _number(self, name: str, bounds: list[str], schema: Mapping[str, Any]) -> Said:
        low = float(bounds[0]) if len(bounds) > 1 else 1.0
        high = float(bounds[1]) if len(bounds) > 1 else 50.0
        low, high = _range(schema, low, high)
        whole = schema.get("type") == "integer"
        if name == "year":
            return Said(str(year := self._draw.randint(int(low), int(high))), year)
        if name == "money":
            return Said(*amounts.money(self._draw, low, high, whole), firm=True)
        if name == "percent":
            return Said(*amounts.percent(self._draw, int(low), int(high), whole))
        if name == "int" or whole:
            return Said(*amounts.integer(self._draw, int(low), max(int(low), int(high))))
        return Said(*amounts.decimal(self._draw, low, high, int(bounds[2]) if len(bounds) > 2 else 1))

    def _code(self, pattern: str) -> str:
        kinds = {"L": string.ascii_uppercase, "#": string.digits}
        if pattern == "%":
            return self._draw.choice("abcdefgh") + self._draw.choice("12345678")
        if self._draw.random() < 0.15:
            pattern = pattern.replace("-", "")
        return "".join(self._draw.choice(kinds[c]) if c in kinds else c for c in pattern)

    def _list(self, kind: str, schema: Mapping[str, Any]) -> Said:
        inner = schema.get("items")
        inner = inner if isinstance(inner, Mapping) else {}
        least, most = int(schema.get("minItems", 2)), int(schema.get("maxItems", 5))
        count = min(max(least, self._draw.choice((1, 2, 2, 2, 3, 3, 3, 4, 5)) if kind == "grocery" else 0), most)
        count = count or min(max(least, self._draw.choice((2, 2, 3, 3, 4))), most)
        found = {said.text.lower(): said for said in (self.value(kind, inner) for _ in range(count))}
        parts = list(found.values())
        values = [part.value for part in parts]
        if all(isinstance(v, int | float) for v in values):
            parts = [replace(part, text=str(part.value)) for part in parts]
            if self._draw.random() < 0.2:
                return Said(f"[{', '.join(str(v) for v in values)}]", values, firm=True)
        return Said(self.joined([part.text for part in parts]), values, any(part.firm for part in parts))

    def joined(self, parts: list[str]) -> str:
        """Words as an enumeration: `a, b and c`."""
        if len(parts) < 2:
            return "".join(parts)
        joint = self._draw.choice(_JOINTS if len(parts) < 3 else _LONG_JOINTS)
        return joint.format(", ".join(parts[:-1]), parts[-1])

    def _word(self, name: str) -> Said:
        """From a list of words; of a code, what it stands for."""
        if name in ("unit", "unit2"):
            return self._unit()
        if name in ("currency", "langcode", "countrycode", "currencyname", "language"):
            codes = table("codes")
            rows = codes[{"currencyname": "currency", "language": "langcode"}.get(name, name)]
            words, _, code = self._draw.choice(rows).partition(":")
            if name in ("currencyname", "language"):
                return Said(words, words)
            return firm(code) if name == "currency" and self._draw.random() < 0.4 else Said(words, code)
        name = {"zone2": "zone"}.get(name, name)
        return Said(text := self._draw.choice(pool(name)), text, name in _FIRM)


_FIRM = frozenset(("handle", "branch", "repo", "table", "column", "host", "ticker", "formula"))


def plain_option(option: Any) -> str:
    """An option as it is said: `first_class`, `firstClass` and `FIRST-CLASS` are first class."""
    text = str(option)
    if re.fullmatch(r"[A-Z]{1,3}|\W+|.*\d.*", text):
        return text
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", text)
    return spaced if spaced.istitle() else spaced.lower()


def _range(schema: Mapping[str, Any], low: float, high: float) -> tuple[float, float]:
    """The usual range as far as a schema allows it; from its own bound on where it does not."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    low, high = max(low, least), min(high, most)
    if low > high:
        low, high = (least, least + 20) if most == math.inf else (max(least, most - 20), most)
    return low, high


def _without_article(said: Said) -> Said:
    """A value is the thing that is said, without the article in front of it: `the dishwasher` is dishwasher."""
    if isinstance(said.value, str) and said.value in said.text and said.text[0] not in "\"'“":
        return replace(
            said, value=_ARTICLE.sub("", said.value, count=1) if _ARTICLE.match(said.value) else said.value
        )
    return said


def _meet(options: list[Any], words: tuple[str, ...]) -> bool:
    return sum(plain_option(option) in words for option in options) > 1
