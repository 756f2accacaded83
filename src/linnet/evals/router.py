"""Which intent a request has, or none: a classifier, or the language model by likelihood, on rows with the truth.

In scope a row is right with its own intent; a row that is out of scope is right with none. The two shares say
little without each other: a router that always abstains finds all that is out of scope.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from linnet.agent.intents.examples import Example
from linnet.evals.statistics import wilson
from linnet.limits import LIMITS
from linnet.requests import Done, Model, Score, Segment, Usage, complete_all


class Answer(NamedTuple):
    """The likeliest intent, and how sure it is that there is one."""

    nearest: str
    confidence: float
    usage: Usage = Usage()


class Asked(Protocol):
    """Whatever finds the intent of a text."""

    def __call__(self, text: str) -> Answer: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a row: `intent` is None for out of scope."""

    example: Example
    intent: str | None
    answer: Answer
    seconds: float

    @property
    def right(self) -> bool:
        return self.intent == self.example.intent

    def describe(self) -> dict[str, Any]:
        """A line of the file."""
        return {"text": self.example.text, "intent": self.intent}


def evaluate(asked: Asked, margin: float, examples: Iterable[Example]) -> Iterator[Outcome]:
    """Outcomes one by one: below the margin a row is out of scope."""
    for example in examples:
        started = time.perf_counter()
        answer = asked(example.text)
        intent = answer.nearest if answer.confidence >= margin else None
        yield Outcome(example, intent, answer, time.perf_counter() - started)


def spread(examples: Sequence[Example], limit: int | None, seed: int = 0) -> tuple[Example, ...]:
    """All, or so many at random, in their order: files are sorted by intent."""
    if limit is None or limit >= len(examples):
        return tuple(examples)
    chosen = set(random.Random(seed).sample(range(len(examples)), limit))
    return tuple(example for at, example in enumerate(examples) if at in chosen)


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`in_scope` and `out_of_scope` as `{right, of, share, interval}`: 95 % intervals of Wilson, shares None for no
    rows. `nearest` is the share in scope whose likeliest intent is right, whatever the margin says."""
    known = [outcome for outcome in outcomes if outcome.example.intent is not None]
    strange = [outcome for outcome in outcomes if outcome.example.intent is None]
    nearest = [outcome.answer.nearest == outcome.example.intent for outcome in known]
    usage = sum((outcome.answer.usage for outcome in outcomes), Usage())
    return {
        "in_scope": _share([outcome.right for outcome in known]),
        "out_of_scope": _share([outcome.right for outcome in strange]),
        "nearest": _share(nearest),
        "median_ms": 1e3 * statistics.median(outcome.seconds for outcome in outcomes) if outcomes else None,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def _share(right: Sequence[bool]) -> dict[str, Any]:
    hits, of = sum(right), len(right)
    return {"right": hits, "of": of, "share": hits / of if of else None, "interval": list(wilson(hits, of))}


def margin_of(outcomes: Sequence[Outcome], give_up: float) -> float:
    """The highest margin that loses no more than this share of the in-scope rows that are right without one."""
    known = [outcome for outcome in outcomes if outcome.example.intent is not None]
    right = sorted(o.answer.confidence for o in known if o.answer.nearest == o.example.intent)
    if not right:
        return -math.inf
    return right[min(int(give_up * len(known)), len(right) - 1)]


# --- the language model --------------------------------------------------------------------------

_SHOWN = """Message: what movies are playing tonight
Topic: movie times

Message: please order new tires
Topic: order tires

"""
"""What a topic looks like; neither is one of CLINC150's."""


class ByLikelihood:
    """The model as the classifier: how likely each intent's name is behind the request, in nats over how likely it is
    behind no request at all (the same discount as in choosing tools). The confidence is the best one's share."""

    def __init__(self, model: Model, intents: Sequence[str]) -> None:
        self._model, self._intents = model, tuple(intents)
        self._neutral = self._scores("...")[0]

    def __call__(self, text: str) -> Answer:
        scores, usage = self._scores(text)
        gains = [score - before for score, before in zip(scores, self._neutral, strict=True)]
        best = max(range(len(gains)), key=gains.__getitem__)
        others = math.log(sum(math.exp(gain - gains[best]) for gain in gains))
        return Answer(self._intents[best], -others, usage)

    def _scores(self, text: str) -> tuple[list[float], Usage]:
        """Of all names under one prompt, in as many requests as one may hold continuations."""
        names = [f" {name.replace('_', ' ')}" for name in self._intents]
        prompt = (Segment(_SHOWN, False), Segment(f"Message: {text}\nTopic:", False))
        size = LIMITS.continuations
        parts = [Score(prompt, tuple(names[at : at + size]), stable=1) for at in range(0, len(names), size)]
        ends: list[Done] = complete_all(self._model, parts)
        usage = sum((end.usage for end in ends), Usage())
        return [score for end in ends for score, _ in end.scores], usage
