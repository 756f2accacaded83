"""What stands around a wish: greetings, thanks, sentences about something else; capitals, marks and slips."""

from __future__ import annotations

import random
import re

from linnet.evals.training.synthesis import marked
from linnet.evals.training.synthesis.catalogue import slots
from linnet.evals.training.synthesis.phrasings import frames
from linnet.evals.training.synthesis.pools import Pool
from linnet.evals.training.synthesis.typos import slipped

_PLACE = re.compile(r"{(\w+)}")
_KINDS = {"int": "int:2:9", "book": "~War and Peace|Moby Dick|Dracula|Emma|Ulysses|Hard Times"}


def surrounded(text: str, draw: random.Random, lower: bool, *, typos: bool = True, context: bool = True) -> str:
    """The request as it is typed: marked text in, plain text out. `lower`: by somebody who uses no capitals."""
    text = _pointed(_accompanied(text, draw) if context else text, draw)
    if lower:
        text = marked.around(text, str.lower)
    elif draw.random() < 0.8:
        text = _capitals(text)
    if typos and draw.random() < 0.1:
        text = slipped(text, draw)
    return " ".join(marked.bare(text).split())


def _accompanied(text: str, draw: random.Random) -> str:
    """With a greeting, thanks, or a sentence about something else, or as it is."""
    if draw.random() < 0.14:
        text = f"{draw.choice(frames('opener'))} {_uncapital(text)}"
    if draw.random() < 0.12:
        text = _before(text, draw)
    if draw.random() < 0.1:
        text = f"{_stopped(text)} {filled(draw.choice(frames('after')), draw)}"
    elif draw.random() < 0.12:
        text = _closed(text, draw)
    return text


def filled(frame: str, draw: random.Random) -> str:
    """A sentence about something else, with values that are no arguments."""
    pool = Pool(draw)

    def word(match: re.Match[str]) -> str:
        key = match[1]
        slot = slots().get(key)
        return pool.value(_KINDS.get(key) or (slot.kind if slot else key), {}).text

    return _PLACE.sub(word, frame)


def _before(text: str, draw: random.Random) -> str:
    first = filled(draw.choice(frames("before")), draw)
    return f"{first} {_uncapital(text) if first.endswith(',') else marked.capital(text)}"


def _closed(text: str, draw: random.Random) -> str:
    closer = draw.choice(frames("closer"))
    joint = draw.choice((", ", " ", ". ", "! ", "? "[:2] if text.endswith("?") else ", "))
    return f"{text.rstrip('.!?') if joint[0] in '.!?,' else text}{joint}{closer}"


def _pointed(text: str, draw: random.Random) -> str:
    """The mark at the end, if any."""
    if text.endswith((".", "!", "?")):
        return text[:-1] if draw.random() < 0.2 else text
    return text + draw.choice(("", "", ".", ".", ".", "!"))


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _capitals(text: str) -> str:
    """A capital at the beginning of each sentence that begins with no value."""
    text = marked.capital(text)
    return marked.around(text, lambda part: re.sub(r"(?<=[.!?] )[a-z]", lambda m: m.group().upper(), part))


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:] if re.match(r"[A-Z][a-z]", text) else text
