"""Phrases of time written in the form that a parameter asks for: `April 3rd` as `2026-04-03`.

Which form is read from the schema's `format`, from a pattern such as `YYYY-MM-DD` in the description, or from
an example there. What a phrase means is `dateparser`'s work; a missing year is taken from the rest of the
request, and so is today's date where the request tells it.
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache

from linnet.calling.evidence.moments import moments
from linnet.calling.evidence.parameters import Parameter

_HOURS = r"[Hh]{2}:[Mm]{2}(?::[Ss]{2})?"
_DAYS = r"(?:(?:[YyMmDd]{2,4}|Month)(?:[-/., ]+|(?=T))?){2,3}"
_IN_WORDS = re.compile(r"\b(?:(?:year|month|day)(?:[-/., ]+(?=year|month|day)|\b)){3}", re.IGNORECASE)
"""`month-day-year`: a form whose letters are whole words."""
_PATTERN = re.compile(rf"(?<![A-Za-z])(?:{_DAYS}(?:[T ,]*(?:at )?{_HOURS}Z?)?|{_HOURS})(?![A-Za-z])")
_MONTH = r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_EXAMPLES = (
    (re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}Z?"), None),
    (re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)"), "%Y-%m-%d"),
    (re.compile(r"(?<!\d)\d{4}/\d{2}/\d{2}(?!\d)"), "%Y/%m/%d"),
    (re.compile(r"(?<![\d:])\d{2}:\d{2}:\d{2}(?!\d)"), "%H:%M:%S"),
    (re.compile(r"(?<![\d:])\d{2}:\d{2}(?![\d:])(?!\s*[ap]\.?m)", re.IGNORECASE), "%H:%M"),
)
_FORMATS = {"date": "%Y-%m-%d", "time": "%H:%M:%S", "date-time": "%Y-%m-%dT%H:%M:%SZ"}
_TODAY = re.compile(r"\btoday(?:'s date)?\s+(?:is|being)\s+([^,.;?!]+(?:,\s*\d{4})?)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?!\d)")
_CLOCK = re.compile(
    r"\d\s*(?:[ap]\.?m\b|o'?clock)|\d:\d|\bnoon\b|\bmid(?:day|night)\b|\b(?:in|after)\b.*\b(?:hour|min)",
    re.IGNORECASE,
)
_DAY = re.compile(
    r"[a-z]{3,}day|month|week|year|tomorrow|tonight|today|\d{4}|\d[/.-]\d|\d(?:st|nd|rd|th)"
    rf"|{_MONTH}",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?:.*[^a-z])?(?:date|time|datetime|deadline|day|birthday)", re.IGNORECASE)
_APART = frozenset(
    ("zone", "timezone", "format", "frame", "period", "duration", "range", "series", "signature", "blind")
)
"""Words of the names of what goes with a time and is none."""
_LASTING = frozenset("reaction response delivery wait waiting cooking run part real".split())
"""What a `time` may be of that is no moment: it takes `slow` and `express` as well."""
_LONGEST = 100
"""Characters of a phrase of time that is worked out; `dateparser` takes more than linear time for long ones."""


def forms(parameter: Parameter) -> tuple[str, ...]:
    """`strftime` forms that a text parameter asks for; none when it takes a time as people say it."""
    if "date" not in parameter.senses and "time" not in parameter.senses:
        return ()
    if known := _FORMATS.get(str(parameter.schema.get("format"))):
        return (known,)
    found = [_strftime(m.group()) for m in _PATTERN.finditer(parameter.description)]
    found = found or [_in_words(m.group()) for m in _IN_WORDS.finditer(parameter.description)]
    if not found:
        for pattern, form in _EXAMPLES:
            if match := pattern.search(parameter.description):
                found.append(form or _iso(match.group()))
                break
    if not found and "date" in parameter.senses:
        found = ["%Y-%m-%d"]
    return tuple(dict.fromkeys(form for form in found if form))


def asked(parameter: Parameter) -> bool:
    """Whether a parameter says in which form it wants a time."""
    told = parameter.description
    patterns = (_PATTERN, _IN_WORDS, *(pattern for pattern, _ in _EXAMPLES))
    return bool(parameter.schema.get("format") or any(pattern.search(told) for pattern in patterns))


def wanted(parameter: Parameter) -> bool:
    """Whether a parameter takes a moment and nothing else: by its schema's `format`, by the last word of its name, or
    because what it is about is a date or a time, and its description has the form or an example of one."""
    if parameter.type != "string":
        return False
    if str(parameter.schema.get("format")) in _FORMATS:
        return True
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter.path[-1])
    said = set(name.lower().split("_"))
    if _APART & said or ("time" in said and _LASTING & said):
        return False
    about = "date" in parameter.senses or "time" in parameter.senses
    shown = about and (asked(parameter) or bool(moments(parameter.description)))
    return bool(_NAMED.fullmatch(name)) or shown


def _iso(example: str) -> str:
    return f"%Y-%m-%d{example[10]}%H:%M:%S{'Z' if example.endswith('Z') else ''}"


def _in_words(pattern: str) -> str:
    codes = {"year": "%Y", "month": "%m", "day": "%d"}
    return re.sub("year|month|day", lambda match: codes[match.group().lower()], pattern, flags=re.IGNORECASE)


def _strftime(pattern: str) -> str:
    clock = re.search(_HOURS, pattern)
    day = pattern[: clock.start()] if clock else pattern
    rest = pattern[clock.end() :] if clock else ""
    for letters, code in (("YYYY?", "%Y"), ("MM", "%m"), ("DD", "%d"), ("YY", "%y"), ("MONTH", "%B")):
        day = re.sub(letters, code, day, count=1, flags=re.IGNORECASE)
    if clock:
        day += "%H:%M" + (":%S" if clock.group().count(":") == 2 else "")
    return (day + rest).rstrip(" ,./-(")


def written(phrase: str, form: str, request: str, now: datetime.datetime | None = None) -> str | None:
    """A phrase of time in a form; None when it does not say what the form needs."""
    wants_clock, wants_day = "%H" in form, any(code in form for code in ("%d", "%m", "%Y"))
    has_clock, has_day = bool(_CLOCK.search(phrase)), bool(_DAY.search(phrase))
    if (wants_clock and not wants_day and not has_clock) or (wants_day and not has_day):
        return None
    if wants_clock and wants_day and not has_clock and len(clocks := _clocks(request)) == 1:
        phrase = f"{phrase} {clocks[0]}"
    base = now or _today(request) or datetime.datetime.now()
    moment = _parse(_with_year(phrase, request), base.replace(microsecond=0), "%d/%m" in form)
    return moment.strftime(form) if moment else None


def _clocks(request: str) -> list[str]:
    """Times of day that a request names apart from any date."""
    found = [request[start:end] for start, end in moments(request)]
    return [phrase for phrase in found if _CLOCK.search(phrase) and not _DAY.search(phrase)]


def _today(request: str) -> datetime.datetime | None:
    told = _TODAY.search(request)
    return _parse(told[1], datetime.datetime.now(), False) if told else None


def _with_year(phrase: str, request: str) -> str:
    """The phrase with the only year that the request names, where it says a day of a month without one."""
    if _YEAR.search(phrase) or not re.search(r"\d", phrase) or not re.search(_MONTH, phrase, re.IGNORECASE):
        return phrase
    years = set(_YEAR.findall(request))
    return f"{phrase} {years.pop()}" if len(years) == 1 else phrase


@lru_cache(maxsize=256)
def _parse(phrase: str, base: datetime.datetime, day_first: bool) -> datetime.datetime | None:
    import dateparser

    if len(phrase) > _LONGEST:
        return None
    settings = {
        "PREFER_DATES_FROM": "future",
        "RELATIVE_BASE": base,
        "RETURN_AS_TIMEZONE_AWARE": False,
        "DATE_ORDER": "DMY" if day_first else "MDY",
    }
    cleaned = re.sub(r"^\s*(?:on|at|by|from|the)\s+", "", phrase, flags=re.IGNORECASE)
    cleaned = re.sub(r"\b(?:coming|upcoming|at|of|the)\b", " ", cleaned, flags=re.IGNORECASE)
    found: datetime.datetime | None = dateparser.parse(" ".join(cleaned.split()), languages=["en"], settings=settings)
    return found
