"""English words that carry meaning for a tool call, as tables: number words, function words, other forms."""

from __future__ import annotations

import re

from linnet.calling.evidence.stems import stem as _stem

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {word: float(i) for i, word in enumerate(_ONES)} | {w: 20.0 + 10 * i for i, w in enumerate(_TENS)}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
SPECIAL = {"dozen": 12.0, "half": 0.5, "quarter": 0.25, "couple": 2.0, "pair": 2.0}
"""Number words: units and tens by value, scales by factor, and words that scale or stand alone."""

COMMON = frozenset(
    "a an the and or of to in on at for from by with without into onto as is are was were be been being do does did "
    "can could will would shall should may might must i me my we us our you your he she it its they them their this "
    "that these those there here what which who whom whose when where why how please just also some any all each "
    "every not no so if then than too very much many more most get give find tell let make want need like have has "
    "had hey hi hello thanks thank using use about up out between during while against over under within per near "
    "via across through including such after before until since because both either own i'm i'd i'll i've let's "
    "what's it's don't doesn't didn't isn't aren't wasn't won't can't couldn't wouldn't shouldn't haven't hasn't "
    "we're we've they're you're he's she's that's there's who's where's how's i’m i’d i’ll i’ve let’s what’s it’s "
    "don’t s same another other others respectively respective once again".split()
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

SENSES = {
    sense: frozenset(map(_stem, known.split()))
    for sense, known in {
        "place": "city location place country state region address town where area zip destination capital county "
        "province continent territory venue site",
        "origin": "from origin source start departure pickup begin initial",
        "target": "to target destination end arrival dropoff final goal",
        "person": "person user customer patient actor author artist director employee student player composer "
        "scientist guest recipient sender contact singer painter doctor therapist leader father mother character "
        "host",
        "name": "name names first last full username nickname",
        "organisation": "company team club organization brand airline university school store shop restaurant hotel "
        "bank court museum provider employer agency hospital band league",
        "date": "date day when deadline birthday month year era period checkin checkout",
        "time": "time hour minute second duration timezone clock",
        "clause": "text message content body note task query question prompt instruction comment sentence paragraph "
        "description reason purpose request input command todo feedback details",
        "command": "command cmd shell",
        "title": "title book movie song game film album show event track name headline artwork painting sculpture",
        "category": "type category genre kind style class mode format method level status topic theme field subject "
        "specialty cuisine option color colour shape size gender model version sort order",
        "language": "language lang locale",
        "code": "id code symbol number key token isbn serial ticker identifier uuid zip hash order account ticket "
        "reference sequence sku",
        "currency": "currency",
        "unit": "unit units measurement scale system metric",
        "file": "path file folder directory filename filepath url link uri email repository website endpoint",
        "food": "food dish ingredient recipe meal drink diet cuisine item product",
        "science": "species element compound substance gene material organism animal plant disease planet metal gas "
        "solution molecule cell protein medium function equation expression formula",
        "amount": "amount price cost number count quantity total limit max min maximum minimum num rate size "
        "length width height radius distance weight speed age value",
    }.items()
}
"""What parameters are about, by the words of their names."""

SYNONYMS = {
    _stem(word): frozenset(map(_stem, group.split()))
    for group in (
        "remove delete erase cancel drop discard",
        "add create insert append new make",
        "update edit modify change alter adjust reschedule",
        "complete finish done mark completed",
        "medium mid middle moderate normal",
        "high strong strongest max maximum highest strongly",
        "low weak weakest min minimum lowest light",
        "start begin run launch on open",
        "stop end halt off close shut",
        "search find look lookup query",
        "buy purchase order get",
        "asc ascending increasing upward",
        "desc descending decreasing downward",
        "shared pool share",
        "male man men male's masculine",
        "female woman women feminine",
        "monthly month months",
        "yearly annual annually year",
        "weekly week weeks",
        "daily day days",
        "quarterly quarter",
        "comedy comic funny comedic",
        "cheap inexpensive budget affordable",
        "expensive pricey costly luxury upscale",
        "fast quick quickest fastest",
        "movie film",
        "photo picture image",
        "doctor physician",
        "big large huge",
        "small little tiny",
        "metric celsius centigrade kilogram",
        "imperial fahrenheit pound",
        "latest newest recent",
        "oldest earliest",
        "clean cleaning purify purifying",
        "cool cooling cold",
        "heat heating warm",
        "private privately personal hidden",
        "additional extra more further",
        "luggage baggage bag suitcase",
        "kid child children family",
        "free complimentary",
        "direct nonstop",
        "refundable refund",
        "wifi internet",
        "pet dog cat animal",
        "inactive archived",
        "true yes",
        "false no",
    )
    for word in group.split()
}
"""Words that often stand for one another in requests and options, by stem."""

UNITS = {
    form: unit
    for unit, forms in {
        "meter": "m meter meters metre metres",
        "kilometer": "km kms kilometer kilometers kilometre kilometres",
        "centimeter": "cm centimeter centimeters",
        "kilogram": "kg kgs kilogram kilograms kilo kilos",
        "gram": "g gram grams",
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "mile": "mi mile miles",
        "mph": "mph",
        "joule": "j joule joules",
        "newton": "n newton newtons",
        "volt": "v volt volts",
        "ampere": "a amp amps ampere amperes",
        "ohm": "ohm ohms",
        "coulomb": "c coulomb coulombs",
        "tesla": "t tesla teslas",
        "pascal": "pa pascal pascals",
        "degree": "degree degrees",
        "pound": "lb lbs pound pounds",
        "foot": "ft foot feet",
        "year": "year years yr yrs",
        "day": "day days",
        "month": "month months",
        "liter": "l liter liters litre litres",
    }.items()
    for form in forms.split()
}
"""Units of measure: each form that stands behind numbers, and the unit it is of."""
