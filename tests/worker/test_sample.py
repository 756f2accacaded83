"""Logits -> a token: greedy, within its limits, repeatable, and drawn as often as it should be."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.requests import Sampling
from linnet.worker.sample import log_probabilities, normaliser, sample

LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40).map(lambda x: np.array(x, np.float32))
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.just(0.0) | st.floats(1e-6, 5),
    top_p=st.floats(0.01, 1),
    top_k=st.integers(0, 50),
    seed=st.integers(-(2**63), 2**63 - 1),
)
SEEDS = [0, 1, 2, 3, -1, -2, -3, 2**63, 2**63 + 1]
FOUR = np.log(np.array([0.1, 0.4, 0.2, 0.3], np.float32))


def draws(sampling: Sampling, count: int = 4_000, logits: np.ndarray = FOUR) -> Counter[int]:
    return Counter(sample(logits, sampling, position) for position in range(count))


@given(LOGITS, st.integers(0, 1_000))
def test_temperature_zero_takes_the_likeliest(logits: np.ndarray, position: int) -> None:
    assert sample(logits, Sampling(), position) == int(np.argmax(logits))
    assert sample(logits, Sampling(top_k=1, temperature=3.0), position) == int(np.argmax(logits))


@given(LOGITS, SAMPLINGS, st.integers(0, 1_000), st.data())
@settings(max_examples=200)
def test_only_what_is_allowed_is_drawn(
    logits: np.ndarray, sampling: Sampling, position: int, data: st.DataObject
) -> None:
    picked = data.draw(st.sets(st.integers(0, len(logits) - 1), min_size=1))
    allowed = np.array(sorted(picked))
    token = sample(logits, sampling, position, allowed)
    assert token in picked
    if sampling.temperature == 0:
        assert logits[token] == logits[allowed].max()


@given(LOGITS, SAMPLINGS, st.integers(0, 1_000))
@settings(max_examples=200)
def test_the_same_seed_draws_the_same(logits: np.ndarray, sampling: Sampling, position: int) -> None:
    assert sample(logits, sampling, position) == sample(logits.copy(), sampling, position)


@given(LOGITS, SAMPLINGS, st.integers(0, 1_000))
@settings(max_examples=200)
def test_the_limits_are_kept(logits: np.ndarray, sampling: Sampling, position: int) -> None:
    if sampling.temperature == 0:
        return
    token = sample(logits, sampling, position)
    better = int((logits > logits[token]).sum())
    assert not sampling.top_k or better < sampling.top_k
    weights = np.exp((logits - logits.max()).astype(np.float64) / sampling.temperature)
    order = np.sort(weights)[::-1][: sampling.top_k or None]
    before = order[:better].sum() / order.sum()
    assert sampling.top_p == 1.0 or before < sampling.top_p + 1e-9


def test_top_k_cuts_the_tail() -> None:
    assert set(draws(Sampling(temperature=1.0, top_k=2))) == {1, 3}
    assert set(draws(Sampling(temperature=5.0, top_k=3))) == {1, 2, 3}
    assert set(draws(Sampling(temperature=5.0, top_k=99))) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.01, {1}), (0.39, {1}), (0.41, {1, 3}), (0.69, {1, 3}), (0.71, {1, 2, 3}), (0.95, {0, 1, 2, 3})],
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: set[int]) -> None:
    assert set(draws(Sampling(temperature=1.0, top_p=top_p))) == kept


def test_top_k_cuts_before_top_p() -> None:
    """Of 0.4 and 0.3 alone the first is 0.57, so half of the probability is the first token."""
    assert set(draws(Sampling(temperature=1.0, top_k=2, top_p=0.5))) == {1}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_they_should(temperature: float) -> None:
    count = 8_000
    weights = np.exp(FOUR.astype(np.float64) / temperature)
    seen = draws(Sampling(temperature=temperature, seed=5), count)
    for token, probability in enumerate(weights / weights.sum()):
        spread = math.sqrt(probability * (1 - probability) / count)
        assert seen[token] / count == pytest.approx(probability, abs=5 * spread)


def test_draws_at_neighbouring_positions_are_independent() -> None:
    even = np.zeros(2, np.float32)
    pairs = Counter(
        (sample(even, Sampling(temperature=1.0), i), sample(even, Sampling(temperature=1.0), i + 1))
        for i in range(4_000)
    )
    assert all(count == pytest.approx(1_000, abs=160) for count in pairs.values()) and len(pairs) == 4


def test_another_seed_draws_otherwise() -> None:
    rows = [[sample(FOUR, Sampling(temperature=1.0, seed=seed), i) for i in range(64)] for seed in SEEDS]
    assert len({tuple(row) for row in rows}) == len(SEEDS)


@pytest.mark.parametrize("seed", [0, -1, 2**63, 2**64 - 1, 2**64, -(2**70), 2**200])
def test_any_seed_will_do(seed: int) -> None:
    assert sample(FOUR, Sampling(temperature=1.0, seed=seed), 3) in range(4)


@pytest.mark.parametrize("temperature", [1e-300, 5e-324, 1e-9])
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_temperature_near_zero_is_greedy(temperature: float) -> None:
    assert set(draws(Sampling(temperature=temperature), 50)) == {1}


def test_impossible_tokens_are_never_drawn() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0], np.float32)
    assert set(draws(Sampling(temperature=1.0), 400, logits)) == {1, 3}


def test_log_probabilities_sum_to_one_in_double_precision() -> None:
    logits = np.random.default_rng(1).normal(0, 5, 50_000).astype(np.float32)
    logs = log_probabilities(logits)
    assert logs.dtype == np.float64
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-12)
    assert logs.max() <= 0 and np.argmax(logs) == np.argmax(logits)


def test_log_probabilities_survive_large_logits() -> None:
    assert np.allclose(log_probabilities(np.array([1e4, 1e4 - 1], np.float32)), [-0.31326169, -1.31326169])


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 1e4])
def test_the_normaliser_is_that_of_double_precision(spread: float) -> None:
    logits = (np.random.default_rng(7).standard_normal(49_152) * spread).astype(np.float32)
    exact = float(logits[5]) - log_probabilities(logits)[5]
    assert abs(normaliser(logits) - exact) < 1e-5 * max(1.0, spread / 100)
