"""Requests that no tool on offer is for: small talk, questions about what tools do, wishes for other tools."""

from __future__ import annotations

import random
from collections.abc import Sequence

from linnet.calling.evidence.naming import words
from linnet.evals.training.catalogue import Act
from linnet.evals.training.phrasings import framed, frames, gerund, worded
from linnet.evals.training.surroundings import filled
from linnet.evals.training.toolmaking import Skill
from linnet.evals.training.wishing import wish


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
    """Whether two acts may be taken for each other: most words of their names are the same."""
    mine, yours = set(words(one.name)), set(words(other.name))
    return one == other or len(mine & yours) * 2 > min(len(mine), len(yours)) or bool(_same(one, other))


def _same(one: Act, other: Act) -> set[str]:
    """Orders that ask for both."""
    return {p.text for p in one.phrases} & {p.text for p in other.phrases if p.form != "whole"}
