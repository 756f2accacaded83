"""One wish as words: a phrase of its act in a frame, and a clause for each value that the phrase does not say."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from linnet.evals.training.synthesis import marked
from linnet.evals.training.synthesis.catalogue import Phrase, Slot, load, slots
from linnet.evals.training.synthesis.pools import Pool, Said
from linnet.evals.training.synthesis.toolmaking import Skill

_PLACE = re.compile(r"{(\+?)(\w+)}")
_TIMES = frozenset(("day", "moment"))
_DOUBLED = frozenset("get set put cut plan ship stop scan tag map log run zip swap drop dim snap chat trim".split())
_LABELS = ("{l}: {v}", "{l} {v}", "with {l} {v}", "{l} = {v}", "{l} is {v}", "{v} as {l}", "with {v} as the {l}")
_LONG = frozenset(("title", "message", "text", "note", "purpose", "reason", "problem", "query"))
"""Slots whose values are long; they come last."""


@dataclass(frozen=True)
class Wish:
    """A skill that somebody wants, and the values by slot that they name."""

    skill: Skill
    said: Mapping[str, Said]


@dataclass(frozen=True)
class Worded:
    """A wish as marked text without a frame: its phrase, filled, and the clauses that go behind it."""

    form: str
    core: str
    clauses: tuple[str, ...]

    def whole(self) -> str:
        return " ".join((self.core, *self.clauses))


def worded(wish: Wish, draw: random.Random, form: str = "", without: Sequence[str] = ()) -> Worded:
    """The wish in one of its act's phrases; of that form, and saying none of the slots `without`, where there is
    such a phrase."""
    act, said = wish.skill.act, wish.said
    able = [p for p in act.phrases if _sayable(p, wish) and not p.places & set(without)]
    wanted = [p for p in able if p.form == form] or [p for p in able if not form or p.form in ("order", "noun")]
    phrase = draw.choice(wanted or able or [Phrase("order", f"use {act.name}")])
    implied = {key for key, by in act.given_by.items() if by in said}
    left = [key for key in said if key not in phrase.places and key not in implied and key not in without]
    core = _PLACE.sub(lambda match: _filled(match, said, draw), phrase.text)
    return Worded(phrase.form, core, tuple(clauses(wish.skill, {key: said[key] for key in left}, draw)))


def clauses(skill: Skill, said: Mapping[str, Said], draw: random.Random) -> list[str]:
    """A clause for each value, in some order, the long ones last; now and then by the parameters' names."""
    keys = [key for key, value in said.items() if value.text or skill.act.slot(key).kind == "yes"]
    if draw.random() < 0.6:
        draw.shuffle(keys)
    keys.sort(key=lambda key: key in _LONG)
    by_name = draw.random() < 0.1
    return [
        _labelled(skill, key, said[key], draw) if by_name else clause(skill.act.slot(key), said[key], draw)
        for key in keys
    ]


def clause(slot: Slot, said: Said, draw: random.Random) -> str:
    """A value with the words that say what it is."""
    if slot.kind == "yes" and isinstance(said.value, bool):
        return draw.choice(slot.says if said.value or not slot.no else slot.no)
    way = draw.choice(slot.says)
    if slot.kind in _TIMES and way != "{}":
        return _timed(way, said)
    return _joined(way, said.text)


def _timed(way: str, said: Said) -> str:
    """A day has a preposition of its own, or another one instead; `on tomorrow` and `for in an hour` are not said."""
    if way == "on {}" or said.text.startswith("in "):
        return marked.value(said.text)
    return way.format(marked.value(str(said.value)))


def _joined(way: str, text: str) -> str:
    """The value in its way: no sign twice (`$40 dollars`, `5 percent%`), no article before another."""
    for article in ("the ", "a ", "an "):
        if text.lower().startswith(article) and re.search(r"\b(?:the|an?) {}", way):
            way = re.sub(r"\b(?:the|an?) {}", "{}", way)
    if re.search(r"(?:%|percent|per cent)$", text):
        way = re.sub(r"{}\s?(?:%|percent)", "{}", way)
    vowel = text[:1].lower() in "aeiou"
    way = re.sub(r"\ban? {}", "an {}" if vowel else "a {}", way)
    return way.format(marked.value(text))


def _labelled(skill: Skill, key: str, said: Said, draw: random.Random) -> str:
    place = next(place for place in skill.places if place.slot.key == key)
    label = place.path[-1] if draw.random() < 0.3 else draw.choice(place.slot.names)
    label = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", label).lower()
    text = said.text or draw.choice(("yes", "true", "on") if said.value is True else ("no", "false", "off"))
    return draw.choice(_LABELS).format(l=label, v=marked.value(text))


def _sayable(phrase: Phrase, wish: Wish) -> bool:
    known = {slot.key for slot in wish.skill.act.slots}
    return all(place in wish.said or place not in known for place in phrase.places)


def _filled(match: re.Match[str], said: Mapping[str, Said], draw: random.Random) -> str:
    plus, key = match.groups()
    slot = slots().get(key)
    if key not in said:  # words that make the phrase vivid, and no argument
        return Pool(draw).value(slot.kind, {}).text if slot else key
    if slot is None or plus or (slot.kind == "yes" and isinstance(said[key].value, bool)):
        return clause(slot, said[key], draw) if slot else marked.value(said[key].text)
    return marked.value(said[key].text)


# --- frames --------------------------------------------------------------------------------------


def framed(words: Worded, draw: random.Random) -> str:
    """A whole sentence or two."""
    core, behind = words.core, list(words.clauses)
    if behind and draw.random() < 0.12 and words.form in ("order", "noun"):
        front = behind.pop(draw.randrange(len(behind)))
        return marked.capital(f"{front}, {_sentence(words.form, _behind(core, behind, draw), draw)}")
    if len(behind) > 1 and draw.random() < 0.12:
        kept = behind[: len(behind) // 2]
        rest = draw.choice(frames("rest")).format(c=_listed(behind[len(kept) :], draw))
        return f"{_ended(_sentence(words.form, _behind(core, kept, draw), draw), words.form)} {marked.capital(rest)}"
    return _sentence(words.form, _behind(core, behind, draw), draw)


def _sentence(form: str, text: str, draw: random.Random) -> str:
    match form:
        case "order":
            return draw.choice(frames("order")).format(x=text, ing=gerund(text))
        case "noun":
            known = re.match(r"(?:the|my|this)\b", text) is not None
            return draw.choice(frames("definite" if known else "noun")).format(n=text)
        case "question":
            return text + draw.choice(("?", "?", "?", " please?", ""))
    return text


def _behind(core: str, behind: Sequence[str], draw: random.Random) -> str:
    if not behind:
        return core
    mark = draw.choice((" ",) * 9 + (", ", ": "))
    return core + mark + _listed(behind, draw)


def _listed(parts: Sequence[str], draw: random.Random) -> str:
    """Clauses one after the other, with commas or without."""
    joint = draw.choice((" ", " ", " ", " ", " ", ", "))
    if len(parts) > 1 and draw.random() < 0.2:
        return f"{joint.join(parts[:-1])} and {parts[-1]}"
    return joint.join(parts)


def _ended(text: str, form: str) -> str:
    return text if text.endswith(("?", ".", "!")) else text + ("?" if form == "question" else ".")


def gerund(order: str) -> str:
    """`book a table` -> `booking a table`."""
    verb, space, rest = order.partition(" ")
    if verb.endswith("e") and not verb.endswith("ee"):
        return f"{verb[:-1]}ing{space}{rest}"
    return f"{verb + verb[-1] if verb in _DOUBLED else verb}ing{space}{rest}"


@cache
def frames(name: str) -> tuple[str, ...]:
    """The frames of a kind."""
    return tuple(line for line in str(load("frames.toml")[name]).strip().split("\n") if line)
