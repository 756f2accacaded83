"""Many texts as one forward pass: texts that begin alike share their beginning, and see nothing of one another.

A pack is a forest of tokens, written depth first. A token attends to the tokens above it and to no others, and its
position is its depth, so that what is computed for a text is what would be computed for it alone. Lessons repeat
themselves a great deal (a prompt with many answers, an introduction with many requests): sharing is most of what
makes training on them quick. Policy on numbers: no tensors here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from linnet.evals.training.lesson import Lesson
from linnet.evals.training.tokens import Spelled


@dataclass(frozen=True)
class Told:
    """A lesson with one spelled text for each of its prompts."""

    lesson: Lesson
    texts: tuple[Spelled, ...]

    @property
    def tokens(self) -> int:
        return sum(len(text.ids) for text in self.texts)


@dataclass(frozen=True)
class Pack:
    """`ids` and `depths` of each token, `ends` the place behind the last token below it.

    The token `judged[k]` says how likely the token `targets[k]` is to come next, for text `owners[k]`; `free[k]`
    says whether that counts where an answer is written. `lessons` have the numbers of their texts, in order, and
    `spelled` counts the tokens that all texts have, each by itself.
    """

    ids: tuple[int, ...]
    depths: tuple[int, ...]
    ends: tuple[int, ...]
    judged: tuple[int, ...]
    targets: tuple[int, ...]
    owners: tuple[int, ...]
    free: tuple[bool, ...]
    lessons: tuple[tuple[Lesson, tuple[int, ...]], ...]
    spelled: int


def packs(told: Iterable[Sequence[Told]], tokens: int) -> Iterator[tuple[Pack, int]]:
    """`(pack, groups)`: groups of lessons that stay together, as many as make about `tokens` tokens; one that is
    longer by itself than that makes a pack of its own."""
    forest, count = _Forest(), 0
    for group in told:
        if forest.size and forest.size + forest.growth(group) > tokens:
            yield forest.pack(), count
            forest, count = _Forest(), 0
        forest.add(group)
        count += 1
    if forest.size:
        yield forest.pack(), count


def pack(told: Iterable[Told]) -> Pack:
    """All of them in one."""
    forest = _Forest()
    forest.add(list(told))
    return forest.pack()


@dataclass
class _Node:
    id: int
    below: dict[int, _Node] = field(default_factory=dict)
    place: int = -1


class _Forest:
    def __init__(self) -> None:
        self.size = 0
        self._roots: dict[int, _Node] = {}
        self._texts: list[tuple[Spelled, list[_Node]]] = []
        self._lessons: list[tuple[Lesson, tuple[int, ...]]] = []
        self._spelled = 0

    def growth(self, group: Sequence[Told]) -> int:
        """At most so many tokens more: what the lessons share among themselves is counted twice."""
        return sum(len(text.ids) - self._shared(text.ids) for one in group for text in one.texts)

    def add(self, group: Sequence[Told]) -> None:
        for one in group:
            first = len(self._texts)
            self._texts += [(text, self._path(text.ids)) for text in one.texts]
            self._lessons.append((one.lesson, tuple(range(first, len(self._texts)))))
            self._spelled += one.tokens

    def _shared(self, ids: Sequence[int]) -> int:
        below, depth = self._roots, 0
        for depth, id in enumerate(ids):
            if id not in below:
                return depth
            below = below[id].below
        return len(ids)

    def _path(self, ids: Sequence[int]) -> list[_Node]:
        """The last token of a text is computed by nobody: what comes behind it is not asked. It is left out."""
        below, path = self._roots, []
        for id in ids[:-1]:
            if id not in below:
                below[id] = _Node(id)
                self.size += 1
            path.append(below[id])
            below = below[id].below
        return path

    def pack(self) -> Pack:
        ids: list[int] = []
        depths: list[int] = []
        ends: list[int] = []
        stack = [(node, 0, False) for node in reversed(list(self._roots.values()))]
        while stack:
            node, depth, done = stack.pop()
            if done:
                ends[node.place] = len(ids)
                continue
            node.place = len(ids)
            ids.append(node.id)
            depths.append(depth)
            ends.append(0)
            stack.append((node, depth, True))
            stack += [(below, depth + 1, False) for below in reversed(list(node.below.values()))]
        rows = [
            (path[at - 1].place, text.ids[at], owner, free)
            for owner, (text, path) in enumerate(self._texts)
            for at, free in zip(text.judged, text.free, strict=True)
        ]
        judged, targets, owners, free = zip(*rows, strict=True)
        return Pack(
            tuple(ids), tuple(depths), tuple(ends), judged, targets, owners, free, tuple(self._lessons), self._spelled
        )
