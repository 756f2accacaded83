"""What a request is after, as its first words say it: `calculate the area of a triangle with ...` is after an area of
a triangle. A tool that shares all other words and not these computes something else from the same things."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from linnet.calling.evidence.lexicon import SYNONYMS
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.facts import Features, share
from linnet.tools import Tool

_GENERIC = frozenset(
    map(
        stem,
        "calculate compute computing determine estimate evaluate retrieve fetch obtain provide return show display "
        "give search look check find get help tell know function tool api perform allow given specified specific "
        "particular certain info information details data current value based wanna".split(),
    )
)
_ENDS = frozenset(
    "with given whose for in at if when from using where by that which who between and on to per after before during "
    "since until within over under is are was were has have based around near".split()
)
_MOST = 6
"""Words of a goal."""


@dataclass(frozen=True)
class Goal:
    """Stems of the words, and of the one that the others belong to: `area` in `area of a triangle`."""

    stems: frozenset[str]
    head: frozenset[str]


def goal(reading: Reading) -> Goal:
    """The first content words, up to a preposition other than "of", a number or a break."""
    found: list[str] = []
    head = ""
    for word in reading.words:
        number = any(character.isdigit() for character in word.text)
        if len(found) == _MOST or (found and (number or word.lower in _ENDS or re.search(r"[,;.:!?(]", word.gap))):
            break
        if word.lower == "of" and found:
            head = head or found[-1]
        elif not (number or word.common or word.stem in _GENERIC):
            found.append(word.stem)
    return Goal(frozenset(found), frozenset((head or found[-1],)) if found else frozenset())


def features(tool: Tool, reading: Reading) -> Features:
    """How far what the request is after is what the tool is for, and the other way round."""
    wanted, offered = goal(reading), goal(Reading(tool.description))
    name = frozenset(words(tool.name.replace(".", " "))) - _GENERIC
    told = frozenset(words(tool.description))
    own = frozenset(part for named in tool.parameters["properties"] for part in words(named))
    heard = _alike(word.stem for word in reading.words if not word.common)
    sought, head = _alike(wanted.stems), _alike(wanted.head)
    open_ = [s for s in wanted.stems if not _alike((s,)) & (name | told | own)]
    return {
        "goal in name": share(wanted.stems, _alike(name)),
        "goal in description": share(wanted.stems, _alike(told)),
        "goal in goal": share(wanted.stems, _alike(offered.stems)),
        "goal only in parameters": share(wanted.stems, own - name - told),
        "goal open": float(len(open_)),
        "goal share open": len(open_) / max(1, len(wanted.stems)),
        "goal none": float(not wanted.stems),
        "head in name": float(bool(head & name)),
        "head in description": float(bool(head & told)),
        "head in goal": float(bool(head & offered.stems)),
        "head only in parameters": float(bool(head & own) and not head & (name | told)),
        "own name said": share(name, heard),
        "own name sought": share(name, sought),
        "own name left": float(min(3, len(name - heard))),
        "own goal said": share(offered.stems, heard),
        "own goal sought": share(offered.stems, sought),
        "own goal left": float(min(4, len(offered.stems - heard))),
        "own head said": float(bool(offered.head & heard)),
        "own head sought": float(bool(offered.head & sought)),
    }


def _alike(stems: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(SYNONYMS.get(s, frozenset((s,))) for s in stems))
