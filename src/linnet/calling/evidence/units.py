"""What a number with a unit is worth in the unit that a parameter asks for: `50mH`, asked for in henries, is 0.05.

Which words are units is a table; what they are worth is `pint`'s work, which is imported when a request says one
unit and a parameter asks for another.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from linnet.calling.evidence.parameters import Parameter

_PREFIXES = {
    "": "", "k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "µ": "micro", "n": "nano", "p": "pico",
}  # fmt: skip
_SCALED = {
    "meter": ("m", "metre"), "gram": ("g", ""), "second": ("s", "sec"), "ampere": ("A", "amp"), "volt": ("V", ""),
    "watt": ("W", ""), "farad": ("F", ""), "joule": ("J", ""), "newton": ("N", ""), "pascal": ("Pa", ""),
    "hertz": ("Hz", ""), "ohm": ("Ω", ""), "coulomb": ("", ""), "tesla": ("", ""), "byte": ("B", ""),
    "henry": ("H", ""), "liter": ("L", "litre"), "electron_volt": ("eV", ""),
}  # fmt: skip
"""Units that take prefixes: symbol, and another name."""
_OTHERS = {
    "centimeter": "cm centimetre centimeter", "kilogram": "kilo", "tonne": "tonne", "mile": "mi mile",
    "foot": "ft foot feet", "inch": "inch inches", "yard": "yd yard", "pound": "lb pound", "ounce": "oz ounce",
    "minute": "min minute", "hour": "h hr hour", "day": "day", "week": "week", "month": "month", "year": "yr year",
    "gallon": "gal gallon", "degC": "°C ºC celsius centigrade", "degF": "°F ºF fahrenheit", "kelvin": "kelvin",
    "degree": "degree", "radian": "radian", "knot": "knot", "mile/hour": "mph", "kilometer/hour": "kph kmh",
}  # fmt: skip
_WORDS = {
    **{word: name for name, words in _OTHERS.items() for word in words.split()},
    **{
        prefix + word: prefix + name
        for prefix in _PREFIXES.values()
        for name, (_, other) in _SCALED.items()
        for word in (name, other)
        if word
    },
}
_NAMES = {f"{word}{ending}": unit for word, unit in _WORDS.items() for ending in ("", "s")} | {"henries": "henry"}
"""Units by their names, in small letters."""
_SYMBOLS = {
    letter + symbol: prefix + name
    for letter, prefix in _PREFIXES.items()
    for name, (symbol, _) in _SCALED.items()
    if symbol
}
_SYMBOLS |= {
    "l": "liter",
    "ml": "milliliter",
    "KB": "kilobyte",
    "uF": "microfarad",
    "uH": "microhenry",
    "uA": "microampere",
}
"""Units by their symbols, whose capitals matter."""
_TEMPERATURES = {"C": "degC", "F": "degF", "K": "kelvin"}
"""Read so where a temperature is asked for: elsewhere a C may be a coulomb."""

_UNIT = r"[°º]?[A-Za-zµΩ]+"
_BY = r"\s?/\s?|\s+per\s+"
_BEHIND = re.compile(rf"\s?-?({_UNIT})(?:({_BY})([a-z]+))?(?![\w^])")
_TOLD = re.compile(rf"([A-Za-z]+)(?:({_BY})([a-z]+))?")
_IN_SYMBOLS = re.compile(rf"(?:\(\s?(?:in\s)?|\bin\s)({_UNIT})(?:(/)([a-z]+))?(?=\s*(?:[).,;]|$))")
_LONGEST, _BEFORE, _READ = 40, 8, 1_000
"""Characters of a unit behind a number, of what is looked at before a name, and of a description that is read."""
_TIMES = frozenset(("second", "minute", "hour", "week", "month", "year"))
_COUNTED = re.compile(r"\d\s?\Z")


def wanted(parameter: Parameter) -> str:
    """The unit that a number's description or name asks for, in pint's words; "" where it names none, or several."""
    if parameter.type != "number":
        return ""
    return _asked(parameter.description[:_READ], parameter.path[-1][-_LONGEST:])


@lru_cache(maxsize=256)
def _asked(description: str, name: str) -> str:
    for told in (_names(description), _symbols(description), _ending(name)):
        if told:
            return told.pop() if len(told) == 1 else ""
    return ""


def _names(description: str) -> set[str]:
    """Numbers in a description have units of their own (`Default is 20 minutes`), and a single minute, day or second
    is a turn of speech (`the day of the month`, `the second term`)."""
    found = set()
    for match in _TOLD.finditer(description):
        if len(match[1]) > 3 and (unit := _by(_NAMES, *match.groups())):
            before = description[max(0, match.start() - _BEFORE) : match.start()]
            turn_of_speech = match[1].lower() in _TIMES and not before.endswith("in ")
            if not turn_of_speech and not _COUNTED.search(before):
                found.add(unit)
    return found


def _symbols(description: str) -> set[str]:
    """`Length of the wire (cm)`, `Size in MB`."""
    return {unit for match in _IN_SYMBOLS.finditer(description) if (unit := _read(*match.groups()))}


def _ending(name: str) -> set[str]:
    """`distance_km`; what is short for something else as well is no unit."""
    _, _, last = name.rpartition("_")
    return {unit for unit in (_read(last),) if unit} if 1 < len(last) < len(name) and last != "min" else set()


def worth(value: float, text: str, end: int, asked: str) -> float | None:
    """What the number that ends at `end` of a text is in the unit that is asked for; None where the text says no
    unit, the same one, or one of another kind."""
    behind = _BEHIND.match(text, end, end + _LONGEST) if asked else None
    if behind is None:
        return None
    said = _TEMPERATURES.get(behind[1]) if asked in _TEMPERATURES.values() else None
    said = said or _read(*behind.groups())
    return _converted(value, said, asked) if said and said != asked else None


def _read(unit: str, by: str | None = None, time: str | None = None) -> str:
    return _by(_SYMBOLS, unit.replace("μ", "µ"), by, time) or _by(_NAMES, unit, by, time)


def _by(known: dict[str, str], unit: str, by: str | None, time: str | None) -> str:
    """A unit, or one by another: `kilometers per hour`."""
    found = known.get(unit) or (known.get(unit.lower(), "") if len(unit) > 2 and known is _NAMES else "")
    below = _read(time) if found and by and time else ""
    return f"{found}/{below}" if below else found


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


@lru_cache(maxsize=256)
def _converted(value: float, said: str, asked: str) -> float | None:
    """With twelve digits: what a binary fraction adds behind them is noise."""
    import pint

    try:
        return float(f"{_registry().Quantity(value, said).to(asked).magnitude:.12g}")
    except (pint.PintError, ValueError, ArithmeticError):
        return None
