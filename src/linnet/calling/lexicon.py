"""English words that carry meaning for a tool call, as tables: number words, function words, other forms."""

from __future__ import annotations

import re

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {word: float(i) for i, word in enumerate(_UNITS)} | {w: 20.0 + 10 * i for i, w in enumerate(_TENS)}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
SPECIAL = {"dozen": 12.0, "half": 0.5, "quarter": 0.25, "couple": 2.0, "pair": 2.0}
"""Number words: units and tens by value, scales by factor, and words that scale or stand alone."""

COMMON = frozenset(
    "a an the and or of to in on at for from by with without into onto as is are was were be been being do does did "
    "can could will would shall should may might must i me my we us our you your he she it its they them their this "
    "that these those there here what which who whom whose when where why how please just also some any all each "
    "every not no so if then than too very much many more most get give find tell let make want need like have has "
    "had hey hi hello thanks thank using use about up out".split()
)
"""Words that say nothing about which tool or argument is meant."""

PARTICLES = frozenset(("out", "up", "off", "down", "away", "back"))
"""Function words that may end a phrase: `put the bins out`."""

NEGATIVE = re.compile(
    r"\b(?:off|out|disabled?|deactivate|without|exclud\w+|don['’]?t|do not|not|stop|hide|kill|shut|cut|false)\b",
    re.IGNORECASE,
)
"""Marks of a yes-or-no that is meant as no."""

# A short form of a unit counts only behind a number: `12 m`, `12m`, never the m of I'm.
OTHER_FORMS = {
    option: re.compile(rf"(?<![A-Za-z'’.])(?:{forms})(?![A-Za-z])", re.IGNORECASE)
    for option, forms in {
        "hourly": r"(?:every|each) hour",
        "daily": r"(?:every|each) (?:single )?(?:day|morning|afternoon|evening|night)|once a day",
        "weekly": r"(?:every|each) (?:week|(?:mon|tues|wednes|thurs|fri|satur|sun)day)|once a week",
        "monthly": r"(?:every|each) month|once a month",
        "yearly": r"(?:every|each) year|once a year|annually",
        "kilometers": r"kms?|kilometres?",
        "meters": r"(?<=\d)\s?m|metres?",
        "centimeters": r"cms?|centimetres?",
        "miles": r"(?<=\d)\s?mi",
        "feet": r"foot|ft",
        "inches": r"inch",
        "kilograms": r"kgs?|kilos?",
        "pounds": r"lbs?",
        "liters": r"litres?|(?<=\d)\s?l",
        "gallons": r"(?<=\d)\s?gal",
        "celsius": r"°\s?c|centigrade|(?<=\d)\s?c",
        "fahrenheit": r"°\s?f|(?<=\d)\s?f",
    }.items()
}
"""Usual other forms of options that tools often have: how often, and units of measure."""
