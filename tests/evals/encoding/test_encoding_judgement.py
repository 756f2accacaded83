"""Which encoding is taken, from numbers alone: no worse, clearly faster, and steadily so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linnet.evals.encoding import judgement
from linnet.evals.encoding.judgement import Lap, is_better, speed, why_not, why_worse
from linnet.models.encoding import Quality, Speed, Trial
from linnet.models.mixes import mix

OWN = Quality(0.004, 0.0001, 0.02, 0.1, 0.95, 3_000)
FAST = Speed(200, 30, 1.0, 2.0, 1.8, 2.2, 7)


def test_a_ratio_is_of_laps_of_the_same_round() -> None:
    """The machine halves its speed in the third round: neither the ratio nor its spread sees anything of it."""
    laps = [(Lap(100, 20), Lap(200, 40))] * 2 + [(Lap(50, 10), Lap(100, 20))]
    found = speed(laps, mix("100:20"))
    assert (found.ratio, found.low, found.high, found.rounds) == (2.0, 2.0, 2.0, 3)
    assert (found.prefill, found.decode, found.seconds) == (200, 40, 1.0)


def test_one_lap_is_its_own_spread() -> None:
    found = speed([(Lap(100, 20), Lap(150, 20))], mix("100:20"))
    assert found.ratio == found.low == found.high == pytest.approx(2 / (2 / 3 + 1))


def test_the_mix_decides_which_is_faster() -> None:
    laps = [(Lap(100, 40), Lap(300, 30))] * 3
    assert speed(laps, mix("300:24")).ratio > 1.5
    assert speed(laps, mix("10:400")).ratio < 0.8


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"mean_kl": 0.0045 - 1e-6}, ""),
        ({"mean_kl": 0.0045 + 1e-6}, "mean KL"),
        ({"p99_kl": 0.026 - 1e-6}, ""),
        ({"p99_kl": 0.026 + 1e-6}, "worst hundredth"),
        ({"mean_kl": 0.0, "p99_kl": 0.0}, ""),
    ],
)
def test_no_worse_is_within_a_tenth_and_a_ten_thousandth(changed: dict[str, float], reason: str) -> None:
    assert reason in why_worse(replace(OWN, **changed), OWN) and bool(reason) == bool(
        why_worse(replace(OWN, **changed), OWN)
    )


def test_an_exact_original_lets_a_ten_thousandth_pass_and_no_more() -> None:
    exact = Quality(0.0, 0.0, 0.0, 0.0, 1.0, 3_000)
    assert why_worse(replace(exact, mean_kl=0.99e-4, p99_kl=0.9e-3), exact) == ""
    assert "mean KL" in why_worse(replace(exact, mean_kl=1.01e-4), exact)


@pytest.mark.parametrize(
    ("quick", "reason"),
    [
        (FAST, ""),
        (replace(FAST, ratio=1.05, low=1.01), ""),
        (replace(FAST, ratio=1.049, low=1.04), "under 1.05"),
        (replace(FAST, ratio=0.6, low=0.5), "0.60 times as fast"),
        (replace(FAST, ratio=1.5, low=1.0), "too noisy"),
    ],
)
def test_faster_is_by_a_twentieth_and_in_three_rounds_of_four(quick: Speed, reason: str) -> None:
    found = why_not(OWN, quick, OWN)
    assert reason in found and bool(reason) == bool(found)


def test_what_is_worse_is_not_taken_however_fast() -> None:
    assert "KL" in why_not(replace(OWN, mean_kl=0.1), replace(FAST, ratio=9.0, low=9.0), OWN)


def trial(ratio: float, size: int) -> Trial:
    return Trial("any", size, OWN, replace(FAST, ratio=ratio))


def test_the_faster_is_better_and_of_two_alike_the_smaller() -> None:
    assert is_better(trial(2.0, 900), None)
    assert is_better(trial(2.0, 900), trial(1.5, 100)) and not is_better(trial(1.5, 100), trial(2.0, 900))
    alike = 2.0 * judgement.ALIKE
    assert is_better(trial(alike, 100), trial(2.0, 900)) and not is_better(trial(2.0, 900), trial(alike, 100))
    assert not is_better(trial(alike - 0.01, 100), trial(2.0, 900))


def test_small_steps_do_not_lead_away_from_the_fastest() -> None:
    """Each is within 3 % of the one before and smaller; the last is 5 % behind the first."""
    tried = [trial(ratio, size) for ratio, size in ((1.50, 300), (1.46, 200), (1.42, 100))]
    best = tried[0]
    for number, one in enumerate(tried[1:], 2):
        best = one if is_better(one, best, tried[:number]) else best
    assert best == tried[1]
    faster = trial(1.53, 900)
    assert is_better(faster, best, [*tried, faster]), "1.46 is no longer among the fastest"


def test_the_fastest_is_of_those_that_may_be_used() -> None:
    worse = replace(trial(9.0, 50), rejected="a mean KL of 0.1")
    assert is_better(trial(1.49, 100), trial(1.50, 300), [worse])
