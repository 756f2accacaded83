"""Requests that no tool on offer is for: small talk, questions about what tools do, wishes for other tools."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from linnet.calling.evidence.naming import words
from linnet.evals.training.synthesis.catalogue import Act, Phrase
from linnet.evals.training.synthesis.phrasings import framed, frames, gerund, worded
from linnet.evals.training.synthesis.surroundings import filled
from linnet.evals.training.synthesis.toolmaking import Skill
from linnet.evals.training.synthesis.wishing import wish


def idle(draw: random.Random) -> str:
    """Small talk and general knowledge."""
    return filled(draw.choice(frames("idle")), draw)


def about(skills: Sequence[Skill], draw: random.Random) -> str | None:
    """Talk of what a tool is for, by somebody who does not want it done. None where no phrase stands alone."""
    phrases = [p for skill in skills for p in skill.act.phrases if not p.places and p.form in ("order", "noun")]
    orders = [p.text for p in phrases if p.form == "order"]
    nouns = [p.text for p in phrases if p.form == "noun"]
    able = [
        frame
        for frame in frames("about")
        if (orders or not ("{x}" in frame or "{ing}" in frame)) and (nouns or "{n}" not in frame)
    ]
    if not able or not phrases:
        return None
    order = draw.choice(orders) if orders else ""
    frame = draw.choice(able)
    for place, text in (("{x}", order), ("{ing}", gerund(order)), ("{n}", draw.choice(nouns) if nouns else "")):
        frame = frame.replace(place, text)
    return filled(frame, draw)


def foreign(skill: Skill, draw: random.Random, lower: bool) -> str:
    """A wish for a tool that is not on offer."""
    return framed(worded(wish(skill, draw, lower), draw), draw)


def alike(one: Act, other: Act) -> bool:
    """Whether two acts may be taken for each other: more than half of the shorter name is in the longer one, or one
    phrase asks for both."""
    if (one.domain, one.name) == (other.domain, other.name):
        return True
    mine, yours = _words(one.name), _words(other.name)
    return len(mine & yours) * 2 > min(len(mine), len(yours)) or not _asks(one.phrases).isdisjoint(
        _asks(other.phrases)
    )


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(words(name))


@cache
def _asks(phrases: tuple[Phrase, ...]) -> frozenset[str]:
    return frozenset(phrase.text for phrase in phrases)
