"""What a training is to be, what it will take, and how fast it learns at each step: numbers only."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from linnet.errors import OutOfMemory
from linnet.evals.training.asking import GUIDED
from linnet.evals.training.lesson import Kind
from linnet.evals.training.weights import Shape
from linnet.hardware.budget import size
from linnet.limits import LIMITS

CHECKING = 0.1
"""Share of the time that goes into looking at held-out examples."""


@dataclass(frozen=True)
class Recipe:
    """`minutes` of training, unless `steps` says how many there are; each step learns from about `tokens` tokens.

    `rate` is the highest learning rate, reached after the first `warm` of the training, then falling evenly to
    nothing. The change is multiplied by `alpha / rank`. Gradients longer than `clip` are cut to that length. A nat by
    which the model moves on a token of plain text counts as much as `hold` nats of a lesson. `look`
    held-out examples are looked at meanwhile; after `patience` looks that were no better than the best, it ends.
    `weigh` is the most held-out requests by which is found out what the adapter is believed beside evidence, 0 for
    none; `judge` the most that are asked at the end, with the adapter and without.
    """

    minutes: Annotated[float, Field(gt=0, le=LIMITS.training_minutes)] = 20.0
    seed: int = 0
    rank: Annotated[int, Field(ge=1, le=LIMITS.training_rank)] = 16
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 32.0
    rate: Annotated[float, Field(ge=0, le=1)] = 1e-3
    warm: Annotated[float, Field(ge=0, lt=1)] = 0.05
    clip: Annotated[float, Field(gt=0)] = 1.0
    hold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 4.0
    tokens: Annotated[int, Field(ge=1, le=LIMITS.training_step_tokens)] = 1_024
    look: Annotated[int, Field(ge=1)] = 48
    judge: Annotated[int, Field(ge=1)] = 60
    weigh: Annotated[int, Field(ge=0)] = 160
    patience: Annotated[int, Field(ge=0)] = 6
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = GUIDED
    steps: Annotated[int, Field(ge=1)] | None = None

    def describe(self) -> dict[str, Any]:
        return {**asdict(self), "kinds": list(self.kinds)}

    def rate_at(self, share: float) -> float:
        """After that share of the training, 0 to 1."""
        if share < self.warm:
            return self.rate * share / self.warm
        return self.rate * max(0.0, 1.0 - share) / (1.0 - self.warm)


@dataclass(frozen=True)
class Estimate:
    """What was measured before the start: `step_seconds` for `tokens` computed and `spelled` of text in each step;
    `check_seconds` for a look at the held-out examples, every `check_every` steps; `peak_bytes` of memory.

    `steps` are those to expect: a busy machine makes other numbers of them in the same time.
    """

    steps: int
    check_every: int
    step_seconds: float
    check_seconds: float
    tokens: float
    spelled: float
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return self.steps * (self.step_seconds + self.check_seconds / self.check_every)

    def describe(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "seconds": self.seconds,
            "tokens_per_second": self.tokens / self.step_seconds,
            "spelled_per_second": self.spelled / self.step_seconds,
        }


def estimate(
    recipe: Recipe, step_seconds: float, check_seconds: float, tokens: float, spelled: float, peak_bytes: int
) -> Estimate:
    """The steps that the time allows, with looks in between that take `CHECKING` of it."""
    every = max(5, math.ceil(check_seconds / step_seconds * (1 - CHECKING) / CHECKING))
    steps = recipe.steps
    if steps is None:
        steps = max(1, int(recipe.minutes * 60 / (step_seconds + check_seconds / every)))
    return Estimate(steps, min(every, steps), step_seconds, check_seconds, tokens, spelled, peak_bytes)


@dataclass(frozen=True)
class Pace:
    """How far a training has come: by its steps where they are given, by the clock otherwise.

    What was measured before the start is one step on a machine that may be busy just then. A course of `minutes`
    hangs on nothing of it: the learning rate falls, looks are taken and the end comes by the time that went by.
    """

    recipe: Recipe
    estimate: Estimate

    @property
    def timed(self) -> bool:
        return self.recipe.steps is None

    def share(self, step: int, seconds: float) -> float:
        """In the middle of the step with this number, from 0, that begins after so many seconds; 0 to 1."""
        if self.timed:
            return min(1.0, (seconds + self.estimate.step_seconds / 2) / (self.recipe.minutes * 60))
        return (step + 0.5) / self.estimate.steps

    def over(self, step: int, seconds: float) -> bool:
        """Whether `step` steps and so many seconds are all."""
        return seconds >= self.recipe.minutes * 60 if self.timed else step >= self.estimate.steps

    def looks(self, step: int, seconds: float, looked: float, took: float) -> bool:
        """Whether it is time to look at the held-out examples: the last look was over after `looked` seconds and
        took so many itself."""
        if self.timed:
            return seconds - looked >= took * (1 - CHECKING) / CHECKING
        return step % self.estimate.check_every == 0


def needed_bytes(shape: Shape, recipe: Recipe) -> int:
    """About the memory that training takes: weights of 16 bits, the adapter four times in 32 (itself, the best so
    far, two moments), what each token leaves behind in each block, and a quarter of the tokens' logits."""
    between = shape.inner + shape.width
    learned = shape.blocks * recipe.rank * (4 * shape.width + 3 * between + 2 * shape.width)
    kept = 2 * recipe.tokens * shape.blocks * (20 * shape.width + 10 * shape.inner)
    masks = 2 * recipe.tokens * recipe.tokens * shape.heads
    logits = 3 * 4 * shape.vocabulary * recipe.tokens // 4
    return 300_000_000 + 2 * shape.parameters + 4 * 4 * learned + kept + masks + logits


def check_memory(needed: int, available: int | None) -> None:
    """Raises OutOfMemory."""
    if available is not None and needed > available:
        message = f"training takes about {size(needed)} of memory, {size(available)} are free"
        raise OutOfMemory(message, hint="Use a lower --rank, or end what else holds memory.", needed_bytes=needed)
