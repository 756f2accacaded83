"""Requests with the calls that they want, made up from tools.

Pure and seeded: the same tools, seed and count make the same bytes. Without tools of one's own, they are made up
too, over all domains of the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.evals.training.example import Example
from linnet.evals.training.synthesis.matching import skill_of
from linnet.evals.training.synthesis.mixture import Ground, Mixture, Recipe
from linnet.evals.training.synthesis.toolmaking import Skill, toolbox
from linnet.limits import LIMITS
from linnet.tools import Tool

MADE = 2_600
"""Tools that are made up for the general adapter."""
_STRANGERS = 818
"""Tools that are made up to be asked for in vain: two of each act."""


@dataclass(frozen=True)
class Synthesis:
    """Examples to be had, as often as they are asked for. `like` says for each own tool by what act of the catalogue
    it is asked for ("" for none: its own words), and `left_out` why a tool is not learned."""

    mixture: Mixture
    like: dict[str, str]
    left_out: dict[str, str]

    def examples(self, count: int) -> Iterator[Example]:
        """The first `count`. Raises InputInvalid for more than a file holds, or none."""
        if not 0 < count <= LIMITS.training_examples:
            raise InputInvalid(f"{count:,} examples are not 1 to {LIMITS.training_examples:,}")
        return self.mixture.examples(count)


def general(seed: int, made: int = MADE, recipe: Recipe | None = None) -> Synthesis:
    """Examples for tool calls in general, over so many made-up tools."""
    return Synthesis(Mixture(Ground(toolbox(made, seed)), seed, recipe=recipe), {}, {})


def own(tools: Sequence[Tool], seed: int, recipe: Recipe | None = None) -> Synthesis:
    """Examples for these tools, all of them on offer each time.

    Raises InputInvalid where there is none that requests can be made up for.
    """
    skills: list[Skill] = []
    like: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for tool in tools:
        try:
            skill, like[tool.name] = skill_of(tool)
            skills.append(skill)
        except ValueError as reason:
            left_out[tool.name] = str(reason)
    if not skills:
        told = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        hint = "Give each required parameter a type, and a name or a description in English."
        raise InputInvalid(f"there are no tools that requests can be made up for. {told}".strip(), hint=hint)
    ground = Ground(tuple(skills), toolbox(_STRANGERS, seed), all=True)
    return Synthesis(Mixture(ground, seed, recipe=recipe), like, left_out)
