"""Numbers as people write them: in digits, with separators, spelled out, with a currency or a per cent sign."""

from __future__ import annotations

import random

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SPELLED_UP_TO = 100
_PERCENT = ("%", "%", "%", " per cent", " percent", " percent")
_CURRENCIES = ("", " dollars", " euros", " pounds")
_MONEY = ("${}", "{} dollars", "{} euros", "€{}", "£{}", "{} pounds", "{} bucks", "{} USD", "{} EUR", "{}")


def spelled(number: int) -> str:
    """A whole number from 0 to 999,999 in English words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    if number < 1_000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES[hundreds]} hundred" + (f" and {spelled(rest)}" if rest else "")
    thousands, rest = divmod(number, 1_000)
    return f"{spelled(thousands)} thousand" + (f" {spelled(rest)}" if rest else "")


def integer(draw: random.Random, low: int, high: int) -> tuple[str, int]:
    """`(as said, value)`; large ones are mostly round."""
    value = draw.randint(low, high)
    if high > 1_000 and draw.random() < 0.6:
        value = max(low, round(value, -len(str(value)) + 2))
    return written(draw, value), value


def written(draw: random.Random, value: int) -> str:
    if 0 <= value <= 12 and draw.random() < 0.4:
        return spelled(value)
    if 0 <= value <= _SPELLED_UP_TO and draw.random() < 0.08:
        return spelled(value)
    if value >= 1_000 and value % 1_000 == 0 and draw.random() < 0.25:
        return f"{value // 1_000}k" if draw.random() < 0.6 and value < 1_000_000 else f"{value // 1_000} thousand"
    return f"{value:,}" if value >= 1_000 and draw.random() < 0.4 else str(value)


def decimal(draw: random.Random, low: float, high: float, places: int) -> tuple[str, int | float]:
    """A number with so many decimals or fewer; often a whole one, sometimes `two and a half`."""
    if low >= 1 and draw.random() < 0.55:
        return integer(draw, int(low), max(int(low), int(high)))
    if places and low < 10 <= high and draw.random() < 0.12:
        whole = draw.randint(max(1, int(low)), 9)
        said = spelled(whole) if draw.random() < 0.7 else str(whole)
        return f"{said} and a half", whole + 0.5
    places = min(places, draw.choice((1, 1, 1, 2))) if low >= 1 else places
    value = round(draw.uniform(low, high), places) if places else float(draw.randint(int(low), int(high)))
    value = max(value, 10.0**-places) if low >= 0 else value
    return (str(int(value)), int(value)) if value == int(value) else (f"{value:.{places}f}".rstrip("0"), value)


def money(draw: random.Random, low: float, high: float, whole: bool) -> tuple[str, int | float]:
    """A sum with or without its currency. `whole`: no cents."""
    said, value = integer(draw, int(low), int(high)) if whole or draw.random() < 0.6 else _cents(draw, low, high)
    if said[0].isdigit() and said[-1].isdigit():
        return draw.choice(_MONEY).format(said), value
    return said + ("" if said[-1] == "k" else draw.choice(_CURRENCIES)), value  # nobody writes `$five`


def _cents(draw: random.Random, low: float, high: float) -> tuple[str, int | float]:
    value = round(draw.uniform(low, high), 2)
    said = f"{value:,.2f}" if value >= 1_000 and draw.random() < 0.5 else f"{value:.2f}"
    return said, int(value) if value.is_integer() else value


def percent(draw: random.Random, low: int, high: int, whole: bool) -> tuple[str, int | float]:
    """A share with its sign or its word."""
    said, value = integer(draw, low, high)
    if not whole and draw.random() < 0.15:
        half = value + 0.5
        return f"{half}{draw.choice(_PERCENT)}", half
    return said + (draw.choice(_PERCENT) if said[0].isdigit() else _PERCENT[-1]), value
