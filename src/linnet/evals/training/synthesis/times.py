"""Days, times of day, moments and dates in the many forms in which people write them.

What has a normal form (`2026-05-03`, `17:30`) always names all of it: no year and no half of the day is guessed.
"""

from __future__ import annotations

import calendar
import datetime
import random

from linnet.evals.training.synthesis.amounts import spelled

_WEEKDAYS = tuple(calendar.day_name)
_FIRST = datetime.date(2023, 1, 1).toordinal()
_DAYS = 4 * 365
_NEAR = ("today", "tomorrow", "tonight", "the day after tomorrow", "this weekend", "next week", "next month")
_PARTS = ("morning", "afternoon", "evening")
_COUNTS = ("{} minutes", "{} minutes", "{} hours", "{} days", "{} weeks")


def date(draw: random.Random, form: str) -> tuple[str, str]:
    """`(as said, in a form of strftime)`."""
    day = datetime.date.fromordinal(_FIRST + draw.randrange(_DAYS))
    return _said_date(draw, day), day.strftime(form)


def _said_date(draw: random.Random, day: datetime.date) -> str:
    month, number, year = day.strftime("%B"), day.day, day.year
    forms = [
        f"{month} {number}, {year}",
        f"{number} {month} {year}",
        f"{month} {_ordinal(number)}, {year}",
        f"the {_ordinal(number)} of {month} {year}",
        f"{month[:3]} {number} {year}",
        day.isoformat(),
        f"{number} {month[:3]} {year}",
    ]
    if number > 12:  # nobody can take the day for the month
        forms += [f"{day.month}/{number}/{year}", f"{number:02}.{day.month:02}.{year}"]
    return draw.choice(forms)


def day(draw: random.Random) -> tuple[str, str]:
    """A day as it is said, with its preposition where it wants one, and the day alone: `this Friday` is Friday."""
    kind = draw.random()
    if kind < 0.3:
        weekday = draw.choice(_WEEKDAYS)
        said = draw.choice((weekday, f"next {weekday}", f"this {weekday}", f"{weekday} {draw.choice(_PARTS)}"))
        return (f"on {said}" if said.startswith(weekday) and draw.random() < 0.7 else said), _alone(said)
    if kind < 0.55:
        said = draw.choice(_NEAR)
        return said, _alone(said)
    moment = datetime.date.fromordinal(_FIRST + draw.randrange(_DAYS))
    month, number = moment.strftime("%B"), moment.day
    said = draw.choice(
        (
            f"{month} {number}",
            f"{number} {month}",
            f"{month} {_ordinal(number)}",
            f"the {_ordinal(number)} of {month}",
        )
    )
    said = _said_date(draw, moment) if draw.random() < 0.25 else said
    return (f"on {said}" if draw.random() < 0.75 else said), _alone(said)


def _alone(said: str) -> str:
    """Without the small words in front."""
    return said.removeprefix("the ").removeprefix("this ")


def clock(draw: random.Random) -> str:
    """A time of day as it is said, without a preposition."""
    hour, minute = draw.randint(1, 12), draw.choice((0, 0, 0, 15, 30, 45, draw.randrange(60)))
    half = draw.choice(("am", "pm", " am", " pm", " a.m.", " p.m."))
    kind = draw.random()
    if kind < 0.5:
        return f"{hour}{half}" if not minute else f"{hour}:{minute:02}{half}"
    if kind < 0.75:
        return f"{draw.randint(6, 23)}:{minute:02}"
    words = ("noon", "midnight", f"half past {spelled(hour)}", f"{hour} o'clock", f"quarter to {spelled(hour)}")
    return draw.choice((*words, f"{spelled(hour)} in the {draw.choice(_PARTS)}"))


def clock24(draw: random.Random) -> tuple[str, str]:
    """`(as said, HH:MM)`."""
    hour, minute = draw.randrange(24), draw.choice((0, 0, 0, 15, 30, 45, draw.randrange(60)))
    value = f"{hour:02}:{minute:02}"
    if draw.random() < 0.35:
        return value, value
    shown = hour % 12 or 12
    half = "am" if hour < 12 else "pm"
    half = draw.choice((half, f" {half}", f" {half[0]}.m."))
    return (f"{shown}{half}" if not minute else f"{shown}:{minute:02}{half}"), value


def moment(draw: random.Random) -> tuple[str, str]:
    """When something is to happen: with the preposition that a sentence wants, and without (`45 minutes`)."""
    kind = draw.random()
    if kind < 0.22:
        number = draw.choice((2, 3, 5, 10, 15, 20, 25, 30, 40, 45, 90))
        unit = draw.choice(_COUNTS).format(spelled(number) if number < 13 and draw.random() < 0.4 else number)
        unit = draw.choice(("an hour", "half an hour", "a week", unit, unit, unit))
        return f"in {unit}", unit.removeprefix("an ").removeprefix("a ")
    if kind < 0.45:
        said = clock(draw)
        return f"at {said}", said
    said, bare = day(draw)
    if draw.random() < 0.6:
        time = clock(draw)
        between = draw.choice((" at ", " at ", " ", ", "))
        return said + between + time, bare + between + time
    return said, bare


def weekly(draw: random.Random) -> tuple[str, str]:
    """A day of every week, perhaps with a time: as it is said, and without `every`."""
    weekday = draw.choice(_WEEKDAYS)
    time = draw.choice(("", f" at {clock(draw)}", f" {draw.choice(_PARTS)}"))
    return draw.choice(("every ", "each ")) + weekday + time, weekday + time


def daily(draw: random.Random) -> tuple[str, str]:
    """A time of every day, with the word for the repetition before or behind it, and without."""
    time = clock(draw)
    often = draw.choice(("every day", "each day", "daily"))
    return draw.choice((f"{often} at {time}", f"at {time} {often}", f"{often}, {time}")), time


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
