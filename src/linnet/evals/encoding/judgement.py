"""Whether an encoding is as good as the original and faster, and which is to be kept: numbers in, words out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from linnet.models.encoding import Quality, Speed, Trial
from linnet.models.mixes import Mix

GAIN = 1.05
"""How many times as fast as the original a replacement must be: what is less is not worth the disk."""

STEADY = 1.0
"""What three quarters of the rounds must be over: a median alone may be luck."""

ALIKE = 0.97
"""Share of the best one's gain from which on two are taken for equally fast; then the smaller file is kept."""

MEAN_SHARE, MEAN_NATS = 0.10, 1e-4
TAIL_SHARE, TAIL_NATS = 0.25, 1e-3
"""By how much the mean and the 99th percentile of KL may be over the original's own, and still count as no worse.

Quantised products add noise even to the original: its own distance from its F32 is not zero, and moves by a few per
cent with the order of sums. The nats are for originals that are all but exact: a ten-thousandth of a nat turns one
greedy token in a few hundred."""


@dataclass(frozen=True)
class Lap:
    """One round: tokens per second."""

    prefill: float
    decode: float


def speed(laps: Sequence[tuple[Lap, Lap]], mix: Mix) -> Speed:
    """Of the second of each pair against the first, which ran in the same round. At least one pair."""
    own = [mix.seconds(lap.prefill, lap.decode) for _, lap in laps]
    ratios = [
        mix.seconds(first.prefill, first.decode) / seconds for (first, _), seconds in zip(laps, own, strict=True)
    ]
    low, high = _quartiles(ratios)
    return Speed(
        prefill=statistics.median(lap.prefill for _, lap in laps),
        decode=statistics.median(lap.decode for _, lap in laps),
        seconds=statistics.median(own),
        ratio=statistics.median(ratios),
        low=low,
        high=high,
        rounds=len(laps),
    )


def why_not(quality: Quality, speed: Speed, original: Quality) -> str:
    """Why an encoding is not to be used in place of the original; "" if it may be."""
    if reason := why_worse(quality, original):
        return reason
    if speed.ratio < GAIN:
        return f"{speed.ratio:.2f} times as fast as the original, which is under {GAIN:g}"
    if speed.low <= STEADY:
        return f"{speed.ratio:.2f} times as fast, yet slower in a quarter of the rounds: the machine is too noisy"
    return ""


def why_worse(quality: Quality, original: Quality) -> str:
    """Why an encoding is worse than the original; "" if it is not."""
    mean = original.mean_kl * (1 + MEAN_SHARE) + MEAN_NATS
    tail = original.p99_kl * (1 + TAIL_SHARE) + TAIL_NATS
    if quality.mean_kl > mean:
        return f"a mean KL of {quality.mean_kl:.2g}, the original's is {original.mean_kl:.2g}"
    if quality.p99_kl > tail:
        return f"a KL of {quality.p99_kl:.2g} in the worst hundredth, the original's is {original.p99_kl:.2g}"
    return ""


def is_better(one: Trial, other: Trial | None, all: Sequence[Trial] = ()) -> bool:
    """Whether `one`, which may be used, is to be kept rather than the other, which may be too.

    Both are held against the fastest of `all` that were tried and may be used: against each other, a chain of small
    steps would lead far away from it. So whoever is kept is within `ALIKE` of the fastest.
    """
    if one.speed is None or other is None or other.speed is None:
        return one.speed is not None
    rivals = (one, other, *all)
    least = ALIKE * max(trial.speed.ratio for trial in rivals if trial.speed and not trial.rejected)
    if other.speed.ratio < least:
        return one.speed.ratio > other.speed.ratio
    return one.speed.ratio >= least and one.size < other.size


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
