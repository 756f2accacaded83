"""Examples in the order in which they are learned from: the same for the same seed, and from any place on.

Hides epochs: each goes through all examples in another order. A place is how many examples have been used so far.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.evals.training.asking import Render, lessons
from linnet.evals.training.example import Example
from linnet.evals.training.lesson import Kind
from linnet.evals.training.pack import Pack, Told, packs
from linnet.evals.training.tokens import Tokens
from linnet.limits import LIMITS

SETS = 100
"""Sets of tools from which on some are held out whole: of those that at most one example in `PART` is about."""

PART = 20

TOGETHER = 32
"""Examples that are put in such an order that they share what they can."""


class Course:
    """Turns examples into packs. `passed_over` counts lessons that were passed over because of their length."""

    def __init__(
        self, examples: Sequence[Example], tokens: Tokens, render: Render, kinds: Sequence[Kind], seed: int, size: int
    ) -> None:
        self._examples, self._tokens, self._render = examples, tokens, render
        self._kinds, self._seed, self._size = kinds, seed, size
        self.passed_over = 0

    def packs(self, place: int) -> Iterator[tuple[Pack, int]]:
        """`(pack, place behind it)`, without an end. Raises InputInvalid where there is nothing to learn."""
        for pack, count in packs(self._groups(place), self._size):
            place += count
            yield pack, place

    def all(self) -> list[Pack]:
        """Every example once, as they stand."""
        return [pack for pack, _ in packs(map(self._told, self._examples), self._size)]

    def _groups(self, place: int) -> Iterator[list[Told]]:
        count = len(self._examples)
        barren = 0
        while barren < max(1, count):
            epoch, number = divmod(place, count) if count else (0, 0)
            order = _order(count, self._seed, epoch)
            first = number - number % TOGETHER
            for told in self._windows(order[first:], number - first):
                barren = 0 if told else barren + 1
                yield told
                place += 1
        raise InputInvalid("there is nothing to learn from these examples", hint="See docs/training.md.")

    def _windows(self, order: Sequence[int], skipped: int) -> Iterator[list[Told]]:
        """Of so many examples that follow one another, those together whose texts begin alike."""
        for first in range(0, len(order), TOGETHER):
            told = [self._told(self._examples[index]) for index in order[first : first + TOGETHER]]
            told.sort(key=lambda group: group[-1].texts[0].ids if group else ())
            yield from told[skipped:]
            skipped = 0

    def _told(self, example: Example) -> list[Told]:
        found = []
        for lesson in lessons(example, self._render, self._kinds):
            texts = tuple(self._tokens.spelled(lesson))
            if all(len(text.ids) <= LIMITS.training_lesson_tokens and text.ids for text in texts):
                found.append(Told(lesson, texts))
            else:
                self.passed_over += 1
        return found


def _order(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return order


@dataclass(frozen=True)
class Parts:
    """Examples to learn from, to look at meanwhile, to judge by at the end, and to find out by what to believe of the
    model; no request is in two of them."""

    learn: tuple[Example, ...]
    look: tuple[Example, ...]
    judge: tuple[Example, ...]
    weigh: tuple[Example, ...] = ()


def split(examples: Sequence[Example], seed: int, *, look: int = 48, judge: int = 60, weigh: int = 0) -> Parts:
    """A tenth to look at, one to judge by and one to weigh the model by, about so many at most; in an order that the
    seed decides. Where there are many sets of tools, what is held out is about sets that nothing is learned of."""
    groups = _groups(examples)
    keys = list(groups)
    random.Random(f"{seed}:split").shuffle(keys)
    order = deque(keys)
    tenth = len({example.request for example in examples}) // 10
    asked: set[str] = set()

    def part(most: float) -> tuple[Example, ...]:
        found: list[Example] = []
        own: set[str] = set()
        while order and len(own) < most:
            found += (fresh := [each for each in groups[order.popleft()] if each.request not in asked])
            own |= {each.request for each in fresh}
        asked.update(own)
        return tuple(found)

    held = [part(min(most, tenth)) for most in (look, judge, weigh)]
    return Parts(part(math.inf), *held)


def _groups(examples: Sequence[Example]) -> dict[object, list[Example]]:
    """What is to stay together: all about one set of tools where there are many sets, or all that ask the same. A set
    that much is about is no one to hold out whole."""
    sets = [frozenset(tool.name for tool in example.tools) for example in examples]
    sizes = Counter(sets)
    most = len(examples) // PART if len(sizes) >= SETS else 0
    groups: dict[object, list[Example]] = {}
    for example, tools in zip(examples, sets, strict=True):
        groups.setdefault(tools if sizes[tools] <= most else example.request, []).append(example)
    return groups
