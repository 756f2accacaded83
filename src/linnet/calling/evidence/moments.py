"""Phrases of time in a request: `tomorrow at 9 am`, `Friday 5 pm`, `in 40 minutes`, `1 March`, `2026-11-22`.

English, linear, and only found, never computed: a tool that wants another form converts it itself.
"""

from __future__ import annotations

import re

from linnet.calling.evidence.lexicon import SMALL

_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
)
_COUNT = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty|forty|half an?|a few)"
_UNIT = r"(?:seconds?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?)"
_PART = r"(?:morning|afternoon|evening|night|noon|midday|midnight)"
_MEASURE = (
    r"(?:%|°|[$€£]|(?:per\s?cent|degrees?|dollars?|euros?|pounds?|cents?|eur|usd|gbp|points?|times|percentile"
    r"|km|kmh|kph|mph|kg|miles?|met(?:er|re)s?|feet|knots?|volts?|watts?|hertz|hz|bits?|rpm)\b)"
)
"""What makes a number behind `at` none of the clock."""
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)?"

_ELEMENT = "|".join(
    [
        r"\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2})?",
        r"\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}[.-]\d{1,2}[.-]\d{4}|\d{4}[./]\d{1,2}[./]\d{1,2}",
        rf"{_MONTH}\s+\d{{4}}(?!\d)",
        rf"{_MONTH}\s*{_ORDINAL}(?:,?\s+\d{{4}})?",
        rf"(?:the\s+)?{_ORDINAL}\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{4}})?",
        rf"(?:in|after)\s+{_COUNT}\s+{_UNIT}(?:\s+and\s+a\s+half)?",
        rf"{_COUNT}\s+{_UNIT}\s+(?:from\s+now|before|after|later)",
        rf"(?:(?:next|this|coming|upcoming|following)\s+)*{_WEEKDAY}(?:\s+{_PART})?",
        r"(?:next|this)\s+(?:week|month|year|weekend|spring|summer|autumn|fall|winter)",
        rf"(?:today(?!['’]s|\s+(?:is|being)\b)|tomorrow|tonight|yesterday)(?:\s+{_PART})?",
        rf"(?:this|in\s+the)\s+{_PART}",
        r"(?:half\s+past|quarter\s+(?:past|to))\s+\w+",
        r"\d{1,2}(?:[:.]\d{2})?\s*(?:a\.?m\.?|p\.?m\.?|o'?clock)(?!\w)",
        r"\d{1,2}:\d{2}",
        r"noon|midday|midnight",
        rf"(?<=at\s)\d{{1,2}}(?=[\s.,;!?]|$)(?![.,]\d)(?!\s*{_MEASURE})",
    ]
)
_MOMENT = re.compile(
    rf"(?<![\w/])(?:{_ELEMENT})(?:(?:\s*,)?\s*(?:\b(?:at|on|by|from|around)\s+)?(?:{_ELEMENT})(?!\w))*",
    re.IGNORECASE,
)

_COUNTED = (*SMALL, "half", "quarter")
_HINTS = (
    "now soon later asap immediately today tomorrow tonight yesterday mornings? afternoons? evenings? nights? "
    "noon midday midnight dawn dusk sunrise sunset breakfast brunch lunch lunchtime dinner supper teatime "
    "bedtime weekends? weekdays? spring summer autumn fall winter easter christmas xmas halloween thanksgiving "
    "ramadan diwali hanukkah birthday anniversary holidays? when whenever once before after until till by while "
    "during every each next last past future current present latest earliest daily nightly hourly weekly "
    "monthly quarterly yearly annually always sometime anytime time date moment start end beginning first "
    "second third eod eob cob sunup sundown daybreak nightfall twilight fortnights? tmrw tmr tonite midnite "
    "instantly shortly"
)
_FEASTS = (
    "pentecost passover purim lent advent epiphany eid kippur hashanah hogmanay kwanzaa midsummer solstice equinox "
    "carnival holi nowruz vesak michaelmas martinmas candlemas lammas shrovetide yuletide"
)
_PHRASES = r"(?:full|new) moon|close of business|(?:right|straight) away|valentine['’]?s|(?:st\.?|saint) \w+['’]s"
_HINT = re.compile(
    rf"\d|\b(?:{_MONTH}|(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:day)?s?|\w{{2,}}day|{_UNIT}|centur(?:y|ies)"
    rf"|decades?|{_PHRASES}|{'|'.join((*_HINTS.split(), *_FEASTS.split(), *_COUNTED))})(?!\w)",
    re.IGNORECASE,
)
"""Whatever may say when, alone or as part of a phrase: wide, where `_MOMENT` is narrow."""


def hinted(value: str) -> bool:
    """Whether a value may say when, however loosely: `when I get home`, `dinner`, `5`. `mum` and `the car` do not."""
    return bool(_HINT.search(value))


def moments(text: str) -> list[tuple[int, int]]:
    """`(start, end)` of each phrase of time, in order; what belongs together is one phrase."""
    return [(m.start(), m.start() + len(m.group().rstrip(" .,"))) for m in _MOMENT.finditer(text)]
