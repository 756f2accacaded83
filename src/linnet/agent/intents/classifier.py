"""A trained classifier of intents at work: one product of a text's n-grams with plain weights, and a margin.

Hides the arithmetic. NumPy is all it takes; scikit-learn is needed to train (`training.py`) and never here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from linnet.agent.intents.ngrams import WORDS, dense, readable, weighed, words
from linnet.limits import LIMITS

Floats: TypeAlias = "NDArray[np.float32]"

Embed: TypeAlias = Callable[[Sequence[str]], Floats]
"""Texts -> an array of shape (texts, width), rows of length 1."""

NOTHING_KNOWN = 1e9
"""Log-odds against a text of which nothing was seen in training: under any margin, and a number in JSON."""

_SHOWN = 6
"""N-grams that a reading shows."""


@dataclass(frozen=True)
class Evidence:
    """An n-gram of the text as a person reads it, and how much it says for the intent over the next likely one."""

    ngram: str
    weight: float


@dataclass(frozen=True)
class Reading:
    """What a classifier makes of a text.

    `intent` is None where none is sure enough; `nearest` and `runner_up` are the likeliest two either way.
    `confidence` is the log-odds that the text is in scope and `margin` what they have to reach. `evidence` is
    what decided between those two, strongest first.
    """

    intent: str | None
    nearest: str = ""
    runner_up: str = ""
    confidence: float = -NOTHING_KNOWN
    margin: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    problem: str = ""

    def describe(self) -> dict[str, Any]:
        """The one JSON form."""
        return {**asdict(self), "why": self.why}

    @property
    def why(self) -> str:
        """In one line."""
        if self.problem:
            return self.problem
        shown = ", ".join(f"{found.ngram!r} {found.weight:+.2f}" for found in self.evidence) or "nothing known"
        beside = f"confidence {self.confidence:+.2f}, margin {self.margin:+.2f}; {shown}"
        if self.intent is None:
            return f"out of scope: nearest is {self.nearest} ({beside})"
        return f"intent {self.intent} rather than {self.runner_up} ({beside})"


@dataclass(frozen=True)
class Measured:
    """The places of the two likeliest intents, the score of the best, how far the next is below it, and how rare
    the text's words were in training (0: all common, 1: all unknown)."""

    first: int
    second: int
    best: float
    gap: float
    rarity: float


@dataclass(frozen=True)
class Confidence:
    """Weights of the log-odds that a text is in scope."""

    bias: float = 0.0
    best: float = 3.0
    gap: float = 0.0
    rarity: float = -1.0

    def of(self, found: Measured) -> float:
        return self.bias + self.best * found.best + self.gap * found.gap + self.rarity * found.rarity


@dataclass(frozen=True, eq=False)
class Classifier:
    """`weights` are whole numbers, a row for each n-gram and a column for each intent, to be multiplied with the
    `scales` of the columns; `bias` is added. `seen` counts the training texts that an n-gram is in. One that was
    trained with vectors too wants the same `embed` again, which no file has; `about["vectors"]` names it."""

    intents: tuple[str, ...]
    ngrams: tuple[str, ...]
    weights: NDArray[np.int8]
    scales: Floats
    bias: Floats
    seen: NDArray[np.uint32]
    confidence: Confidence = Confidence()
    margin: float = 0.0
    about: Mapping[str, float | int | str] = field(default_factory=dict)
    embed: Embed | None = None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {gram: place for place, gram in enumerate(self.ngrams)}

    def read(self, text: str, margin: float | None = None) -> Reading:
        """The intent of a text, or none. A text over `LIMITS.intent_chars` has none: it is no short request."""
        margin = self.margin if margin is None else margin
        if len(text) > LIMITS.intent_chars:
            return Reading(None, margin=margin, problem=f"longer than {LIMITS.intent_chars:,} characters: no intent")
        grams, parts = self._parts(text)
        if not grams:
            return Reading(None, margin=margin, problem="out of scope: nothing in it was seen in training")
        measured = self._measured(parts.sum(0), text)
        first, second = measured.first, measured.second
        sure = self.confidence.of(measured)
        best, other = self.intents[first], self.intents[second]
        return Reading(
            best if sure >= margin else None,
            best,
            other,
            sure,
            margin,
            _evidence(grams, parts[:, first], parts[:, second]),
        )

    def measure(self, text: str) -> Measured:
        """What the confidence is computed from."""
        return self._measured(self._parts(text)[1].sum(0), text)

    def _measured(self, sums: Floats, text: str) -> Measured:
        scores = sums + self.bias
        first, second = (int(place) for place in np.argsort(-scores, kind="stable")[:2])
        best = float(scores[first])
        return Measured(first, second, best, best - float(scores[second]), self.rarity(text))

    def _parts(self, text: str) -> tuple[list[str], Floats]:
        """The known n-grams of a text, and what each adds to the score of each intent."""
        found = {gram: amount for gram, amount in features(text, self.embed).items() if gram in self._places}
        grams, amounts = list(found), np.fromiter(found.values(), np.float32, len(found))
        rows = self.weights[[self._places[gram] for gram in grams]].astype(np.float32)
        return grams, rows * amounts[:, None] * self.scales

    def rarity(self, text: str) -> float:
        """Mean over the words of 1 / (1 + training texts with the word); 1 where there is no word."""
        said = words(text)
        places = [self._places.get(WORDS + word) for word in said]
        rare = [1.0 if place is None else 1.0 / (1.0 + float(self.seen[place])) for place in places]
        return sum(rare) / len(rare) if rare else 1.0


def name_of(embed: Embed) -> str:
    """What stands for an embedding: its own `name`, if it has one."""
    return str(getattr(embed, "name", "") or "vectors without a name")


def features(text: str, embed: Embed | None) -> dict[str, float]:
    """What a text is told by: its n-grams, and beside them, as heavy, its vector."""
    grams = weighed(text)
    return {**grams, **dense(embed([text])[0].tolist())} if embed and grams else grams


def _evidence(grams: list[str], best: Floats, other: Floats) -> tuple[Evidence, ...]:
    """The strongest n-grams; those that read the same count together."""
    totals: dict[str, float] = {}
    for gram, weight in zip(grams, (best - other).tolist(), strict=True):
        name = readable(gram)
        totals[name] = totals.get(name, 0.0) + weight
    strongest = sorted(totals.items(), key=lambda item: -abs(item[1]))[:_SHOWN]
    return tuple(Evidence(name, round(weight, 4)) for name, weight in strongest)
