"""Examples of all kinds in their shares: what is wanted, what is on offer beside it, how it is said.

Each example is made from a seed of its own, so that the first thousand of a million are those of a thousand.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

from linnet.evals.training.example import Example
from linnet.evals.training.synthesis import nothing, several
from linnet.evals.training.synthesis.phrasings import Wish, framed, worded
from linnet.evals.training.synthesis.pools import Unsayable
from linnet.evals.training.synthesis.surroundings import surrounded
from linnet.evals.training.synthesis.toolmaking import Skill
from linnet.evals.training.synthesis.wishing import wish
from linnet.limits import LIMITS
from linnet.messages import ToolCall

SHARES = {
    "single": 46,
    "enumerated": 8,
    "repeated": 7,
    "several": 12,
    "idle": 5,
    "about": 5,
    "foreign": 8,
    "near": 9,
}
"""Kinds of examples, in per cent: one call; several calls of one tool, by an enumeration or said again; calls of
several tools; no call for small talk, for talk about a tool, for wishes of other domains and of the same one."""

NEAR = ("near",)
"""Kinds that are there for near misses alone."""

_SIZES = (1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10)
_COUNTS = (2, 2, 2, 3, 3, 4)
_LOWER = 0.14
_TRIES = 20

Made = tuple[str, list[Wish], list[Skill]]
"""Marked text, the wishes that it says, and the skills that are not to be on offer."""


@dataclass(frozen=True)
class Ground:
    """What examples are made of. `own` are tools to learn; `others` are wished for where no tool fits. With `all`
    every own tool is on offer each time, as it will be in use; otherwise some, the near ones first."""

    own: tuple[Skill, ...]
    others: tuple[Skill, ...] = ()
    all: bool = False

    def strangers(self) -> tuple[Skill, ...]:
        """Skills that nobody takes for one of the own; the own ones themselves, where some of them are on offer."""
        if not self.all:
            return self.own
        return tuple(o for o in self.others if not any(nothing.alike(o.act, mine.act) for mine in self.own))


@dataclass(frozen=True)
class Recipe:
    """What may be left out to see what it is worth: near misses (among what is on offer, and among what is asked in
    vain), slips of the fingers, and what stands around a wish."""

    near: bool = True
    typos: bool = True
    context: bool = True

    @classmethod
    def without(cls, parts: Sequence[str]) -> Recipe:
        return cls(**dict.fromkeys(parts, False))


PARTS = tuple(part.name for part in fields(Recipe))
"""What a recipe can do without."""


class Mixture:
    """An endless row of examples over a ground."""

    def __init__(
        self, ground: Ground, seed: int, shares: Mapping[str, int] = SHARES, recipe: Recipe | None = None
    ) -> None:
        self._ground, self._seed, self._recipe = ground, seed, recipe or Recipe()
        kinds = {kind: share for kind, share in shares.items() if self._recipe.near or kind not in NEAR}
        self._kinds, self._weights = list(kinds), list(kinds.values())
        self._strangers = ground.strangers() or ground.own
        self._domains = _by_domain(ground.own)
        self._near_strangers = _by_domain(self._strangers)
        self._makers: dict[str, Callable[[random.Random, bool], Made | None]] = {
            "single": self._single,
            "enumerated": self._enumerated,
            "repeated": self._repeated,
            "several": self._several,
            "idle": self._idle,
            "about": self._about,
            "foreign": self._foreign,
            "near": self._near,
        }

    def examples(self, count: int) -> Iterator[Example]:
        return (self.example(number) for number in range(count))

    def example(self, number: int) -> Example:
        """That example of the row; the kind is drawn again where a tool does not lend itself to it."""
        for turn in range(_TRIES):
            draw = random.Random(f"{self._seed} example {number} {turn}")
            kind = draw.choices(self._kinds, self._weights)[0]
            lower = draw.random() < _LOWER
            with suppress(Unsayable):  # another draw may be luckier
                if made := self._makers[kind](draw, lower):
                    return self._example(kind, made, draw, lower)
        raise ValueError(f"no example {number} can be made of these tools")

    def _example(self, kind: str, made: Made, draw: random.Random, lower: bool) -> Example:
        text, wishes, absent = made
        offered = self._offer([w.skill for w in wishes], absent, draw)
        calls = tuple(ToolCall(w.skill.spec.name, w.skill.arguments(w.said)) for w in wishes)
        recipe = self._recipe
        request = surrounded(text, draw, lower, typos=recipe.typos, context=recipe.context)
        return Example(tuple(skill.spec for skill in offered), request, calls[: LIMITS.calls_per_request], kind)

    # --- kinds

    def _single(self, draw: random.Random, lower: bool) -> Made:
        one = wish(draw.choice(self._ground.own), draw, lower)
        return framed(worded(one, draw), draw), [one], []

    def _enumerated(self, draw: random.Random, lower: bool) -> Made | None:
        made = several.enumerated(draw.choice(self._ground.own), draw.choice(_COUNTS), draw, lower)
        return (*made, []) if made else None

    def _repeated(self, draw: random.Random, lower: bool) -> Made | None:
        made = several.repeated(draw.choice(self._ground.own), draw.choice((2, 2, 3)), draw, lower)
        return (*made, []) if made else None

    def _several(self, draw: random.Random, lower: bool) -> Made | None:
        """Of different tools mostly; half of them of one domain."""
        count = draw.choice((2, 2, 2, 3))
        first = draw.choice(self._ground.own)
        near = self._domains[first.act.domain]
        among = near if len(near) >= count and draw.random() < 0.5 else self._ground.own
        skills = [first]
        for skill in draw.sample(among, min(len(among), 3 * count)):
            if len(skills) < count and not any(nothing.alike(skill.act, other.act) for other in skills):
                skills.append(skill)
        wishes = [wish(skill, draw, lower) for skill in skills]
        return (several.sequence(wishes, draw), wishes, []) if len(wishes) > 1 else None

    def _idle(self, draw: random.Random, lower: bool) -> Made:
        return nothing.idle(draw), [], []

    def _about(self, draw: random.Random, lower: bool) -> Made | None:
        skill = draw.choice(self._ground.own)
        text = nothing.about([skill], draw)
        return (text, [], []) if text else None

    def _foreign(self, draw: random.Random, lower: bool) -> Made:
        skill = draw.choice(self._strangers)
        return nothing.foreign(skill, draw, lower), [], [skill]

    def _near(self, draw: random.Random, lower: bool) -> Made | None:
        """A wish that a tool of the same domain grants, which is not on offer."""
        mine = draw.choice(self._ground.own)
        near = [s for s in self._near_strangers[mine.act.domain] if not nothing.alike(s.act, mine.act)]
        if not near:
            return None
        skill = draw.choice(near)
        return nothing.foreign(skill, draw, lower), [], [skill]

    # --- what is on offer

    def _offer(self, wanted: Sequence[Skill], absent: Sequence[Skill], draw: random.Random) -> list[Skill]:
        """The wanted, and others: first of their domain, then any; none that could be taken for a wanted one."""
        if self._ground.all:
            return list(self._ground.own)
        offered = {skill.spec.name: skill for skill in wanted}
        size = max(draw.choice(_SIZES), len(offered) or 1)
        avoided = [*offered.values(), *absent]
        for skill in self._others(avoided, draw):
            if len(offered) >= size:
                break
            if not any(nothing.alike(skill.act, other.act) for other in avoided):
                offered[skill.spec.name] = skill
        found = list(offered.values())
        draw.shuffle(found)
        return found

    def _others(self, avoided: Sequence[Skill], draw: random.Random) -> Iterator[Skill]:
        if self._recipe.near:
            near = [skill for each in avoided for skill in self._domains[each.act.domain]]
            yield from draw.sample(near, min(len(near), draw.choice((0, 2, 4, 8))))
        for _ in range(200):
            yield draw.choice(self._ground.own)


def _by_domain(skills: Sequence[Skill]) -> dict[str, list[Skill]]:
    found: dict[str, list[Skill]] = defaultdict(list)
    for skill in skills:
        found[skill.act.domain].append(skill)
    return found
