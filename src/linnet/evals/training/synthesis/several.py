"""Several calls in one request: of one tool with an argument that differs, of one tool said again, of different
tools one after the other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from linnet.evals.training.synthesis import marked
from linnet.evals.training.synthesis.phrasings import Wish, clauses, framed, frames, worded
from linnet.evals.training.synthesis.pools import Pool, Said
from linnet.evals.training.synthesis.toolmaking import Skill
from linnet.evals.training.synthesis.wishing import varied, wish

_SCALAR = frozenset(("string", "integer", "number"))
_WHOLE = frozenset(("date", "time24", "day", "moment", "message", "task", "unit", "unit2", "currency", "yes"))
"""Kinds whose values are not said as an enumeration."""
_ONCE = frozenset(("repeat", "limit", "sort", "format", "priority", "currency"))
"""Slots that are the same for all calls of a request."""


def enumerated(skill: Skill, count: int, draw: random.Random, lower: bool) -> tuple[str, list[Wish]] | None:
    """`the weather in Rome, Oslo and Lima`: one call for each value of an enumeration. None where no argument can
    be said so."""
    first = wish(skill, draw, lower)
    keys = [
        p.slot.key
        for p in skill.places
        if p.slot.key in first.said
        and p.slot.key not in _ONCE
        and p.schema.get("type") in _SCALAR
        and p.slot.kind.split(":")[0] not in _WHOLE
    ]
    if not keys:
        return None
    key = draw.choice(keys)
    wishes = _different([first, *(varied(first, key, draw, lower) for _ in range(count - 1))], key)
    if len(wishes) < 2:
        return None
    text = Pool(draw).joined([w.said[key].text for w in wishes])
    together = replace(first, said={**first.said, key: Said(text, text, firm=True)})
    return framed(worded(together, draw), draw), wishes


def _different(wishes: Sequence[Wish], key: str) -> list[Wish]:
    found: dict[str, Wish] = {}
    for each in wishes:
        found.setdefault(str(each.said[key].value).lower(), each)
    return list(found.values())


def repeated(skill: Skill, count: int, draw: random.Random, lower: bool) -> tuple[str, list[Wish]] | None:
    """`the area of a circle with radius 3, and with radius 5`: the phrase once, its clauses again. None where a tool
    has no arguments to say again, or two calls came out the same."""
    first = wish(skill, draw, lower)
    words = worded(first, draw)
    keys = [key for key in first.said if _apart(first, key, words.core)]
    if not words.clauses or not keys:
        return None
    wishes = [first]
    for _ in range(count - 1):
        new = wish(skill, draw, lower).said
        wishes.append(Wish(skill, {**first.said, **{key: new.get(key, first.said[key]) for key in keys}}))
    if len({str(skill.arguments(each.said)) for each in wishes}) < count:
        return None
    tails = (" ".join(clauses(skill, {key: each.said[key] for key in keys}, draw)) for each in wishes[1:])
    again = "".join(draw.choice(frames("again")).format(c=tail) for tail in tails)
    return framed(words, draw).rstrip(".?!") + again, wishes


def _apart(each: Wish, key: str, core: str) -> bool:
    """Whether a value stands in a clause, and not in the phrase."""
    return marked.value(each.said[key].text) not in core and each.skill.act.slot(key).kind != "yes"


def sequence(wishes: Sequence[Wish], draw: random.Random) -> str:
    """One wish after the other, in full."""
    form = draw.choice(("order", "order", "order", "noun", ""))
    texts = [_one(each, draw, form) for each in wishes]
    if len(texts) > 2 and draw.random() < 0.5:
        return _numbered(texts, draw)
    text = texts[0]
    for more in texts[1:]:
        text = draw.choice(frames("then")).format(a=text.rstrip(".?!"), b=more, B=marked.capital(more))
    return text


def _one(each: Wish, draw: random.Random, form: str) -> str:
    words = worded(each, draw, form)
    return words.whole() if words.form in ("order", "noun") and draw.random() < 0.7 else framed(words, draw)


def _numbered(texts: Sequence[str], draw: random.Random) -> str:
    mark = draw.choice(("{}. ", "{}) ", "({}) "))
    if draw.random() < 0.4:
        return f"{', '.join(text.rstrip('.?!') for text in texts[:-1])} and {texts[-1]}"
    return "; ".join(mark.format(number) + text.rstrip(".?!") for number, text in enumerate(texts, 1))
