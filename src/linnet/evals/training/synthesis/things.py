"""Things that people name: persons, places, files, times; each as a request says it, and as an argument has it.

Hides which words and forms there are for each, and how they are put together.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from linnet.evals.training.synthesis import times
from linnet.evals.training.synthesis.catalogue import load, split


@dataclass(frozen=True)
class Said:
    """`text` stands in the request, `value` among the arguments. A firm text keeps its capitals."""

    text: str
    value: Any
    firm: bool = False

    def lowered(self) -> Said:
        """The same by somebody who uses no capitals. A value that is what is said goes along."""
        if self.firm:
            return self
        text = self.text.lower()
        if isinstance(self.value, str) and self.value in self.text:
            return replace(self, text=text, value=self.value.lower())
        if isinstance(self.value, list) and all(isinstance(v, str) and v in self.text for v in self.value):
            return replace(self, text=text, value=[v.lower() for v in self.value])
        return replace(self, text=text)


def firm(text: str) -> Said:
    """What is written in one way only."""
    return Said(text, text, firm=True)


@cache
def pool(name: str) -> tuple[str, ...]:
    """A list of words."""
    told = load("pools.toml")[name]
    return split(told) if ";" in told else tuple(told.split())


@cache
def table(name: str) -> dict[str, tuple[str, ...]]:
    """Lists of words by name: `units`, `words` (how else options are said), `codes`."""
    return {key: split(told) for key, told in load("pools.toml")[name].items()}


# --- values that are put together ----------------------------------------------------------------


def _person(draw: random.Random) -> Said:
    first, last = draw.choice(pool("first")), draw.choice(pool("last"))
    title = draw.choice(pool("titles"))
    text = draw.choice((f"{first} {last}", f"{first} {last}", f"{first} {last}", first, f"{title} {last}"))
    return Said(text, text)


def _email(draw: random.Random) -> Said:
    first, last = draw.choice(pool("first")).lower(), draw.choice(pool("last")).lower()
    local = draw.choice((f"{first}.{last}", f"{first[0]}{last}", first, f"{last}{draw.randint(1, 99)}"))
    return firm(f"{local}@{draw.choice(pool('domain_name'))}")


def _phone(draw: random.Random) -> Said:
    digits = "".join(draw.choice(string.digits) for _ in range(7))
    return firm(draw.choice(("555-{}-{}", "+44 20 {} {}", "0{}/{}", "(212) {}-{}")).format(digits[:3], digits[3:]))


def _street(draw: random.Random) -> Said:
    street = f"{draw.randint(1, 240)} {draw.choice(pool('street_name'))}"
    text = draw.choice((street, street, f"{street}, {draw.choice(pool('city')).split(',')[0]}"))
    return Said(text, text)


def _named(ending: str) -> Callable[[random.Random], Said]:
    def make(draw: random.Random) -> Said:
        adjective, noun = draw.choice(pool("adjective")), draw.choice(pool("noun"))
        end = draw.choice(pool(ending))
        end = draw.choice((f"{adjective} {noun}", f"{noun} {end}", f"{draw.choice(pool('last'))}'s {end}"))
        return Said(end, end)

    return make


def _company(draw: random.Random) -> Said:
    text = draw.choice(pool("company_head"))
    text += f" {draw.choice(pool('company_end'))}" if draw.random() < 0.7 else ""
    return Said(text, text)


def _product(draw: random.Random) -> Said:
    text = draw.choice(pool("product_b"))
    text = f"{draw.choice(pool('product_a'))} {text}" if draw.random() < 0.7 else text
    return Said(text, text)


def _file(draw: random.Random, ends: str = "file_ext") -> Said:
    stem = draw.choice(pool("file_stem"))
    stem = f"{stem}{draw.choice(('_', '-', ''))}{draw.randint(2, 40)}" if draw.random() < 0.3 else stem
    return firm(f"{stem}.{draw.choice(pool(ends))}")


def _path(draw: random.Random) -> Said:
    parts = draw.sample(pool("path_part"), draw.randint(1, 3))
    return firm(
        draw.choice(("/", "", "~/", "./")) + "/".join(parts) + draw.choice(("", "/") if parts[1:] else ("/",))
    )


def _url(draw: random.Random) -> Said:
    tail = "/".join(draw.sample(pool("path_part"), draw.randint(0, 2)))
    return firm(f"https://{draw.choice(('www.', 'news.', ''))}{draw.choice(pool('domain_name'))}/{tail}".rstrip("/"))


def _version(draw: random.Random) -> Said:
    return firm(f"{draw.choice(('', 'v'))}{draw.randint(0, 9)}.{draw.randint(0, 20)}.{draw.randint(0, 9)}")


def _quoted(words: str, bare: float) -> Callable[[random.Random], Said]:
    def make(draw: random.Random) -> Said:
        text = draw.choice(pool(words))
        if draw.random() < bare:
            return Said(text, text)
        marks = ('"{}"', "“{}”") if "'" in text else ('"{}"', '"{}"', "'{}'", "“{}”")
        return Said(draw.choice(marks).format(text), text)

    return make


def _day(draw: random.Random) -> Said:
    return Said(*times.day(draw))


def _clock(draw: random.Random) -> Said:
    return Said(text := times.clock(draw), text)


def _clock24(draw: random.Random) -> Said:
    return Said(*times.clock24(draw), firm=True)


def _moment(draw: random.Random) -> Said:
    return Said(*times.moment(draw))


MAKERS: dict[str, Callable[[random.Random], Said]] = {
    "person": _person,
    "email": _email,
    "phone": _phone,
    "street": _street,
    "venue": _named("venue_end"),
    "hotel": _named("hotel_end"),
    "company": _company,
    "product": _product,
    "file": _file,
    "image": lambda draw: _file(draw, "image_ext"),
    "path": _path,
    "url": _url,
    "version": _version,
    "message": _quoted("message", 0.0),
    "title": _quoted("title", 0.3),
    "book": _quoted("book", 0.6),
    "film": _quoted("film", 0.6),
    "song": _quoted("song", 0.6),
    "word": _quoted("word", 0.6),
    "day": _day,
    "clock": _clock,
    "time24": _clock24,
    "moment": _moment,
}
