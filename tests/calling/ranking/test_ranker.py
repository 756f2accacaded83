"""Log-probabilities of candidates from hand-made weights, and the weights that ship."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.ranker import Belief, Weights, fitted, ranked, weigh

CANDIDATES = [Candidate(value, "span", place, place) for place, value in enumerate("abc")]


def test_a_weighted_sum() -> None:
    assert weigh({"a": 2.0, "b": -1.0}, {"a": 0.5, "b": 3.0}) == -2.0
    assert weigh({"a": 2.0}, {"bias": 0.25, "a": 1.0}) == 2.25
    assert weigh({}, {"bias": 0.25}) == 0.25 and weigh({}, {}) == 0


def test_what_has_no_weight_counts_nothing() -> None:
    assert weigh({"a": 2.0, "never seen": 99.0}, {"a": 1.0, "b": 7.0}) == 2.0


def test_the_best_comes_first() -> None:
    found = ranked(CANDIDATES, [0.0, 2.0, 1.0])
    assert [candidate.value for candidate, _ in found] == ["b", "c", "a"]
    assert found[0][1] - found[1][1] == pytest.approx(1.0)


def test_without_candidates_there_is_nothing_to_rank() -> None:
    assert list(ranked([], [])) == []


def test_as_good_as_each_other_they_keep_their_order() -> None:
    assert [candidate.value for candidate, _ in ranked(CANDIDATES, [1.0] * 3)] == ["a", "b", "c"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_probabilities_add_up_to_one(logits: list[float]) -> None:
    found = ranked([Candidate(number, "span") for number in range(len(logits))], logits)
    assert sum(math.exp(nats) for _, nats in found) == pytest.approx(1.0)
    assert [nats for _, nats in found] == sorted((nats for _, nats in found), reverse=True)
    assert logits[found[0][0].value] == pytest.approx(max(logits))


def test_the_weights_that_ship_are_complete_and_read_once() -> None:
    weights = fitted()
    assert isinstance(weights, Weights) and fitted() is weights
    sections = (weights.features, weights.counts, weights.tools, weights.choice, weights.evident, weights.relevance)
    for table in sections:
        assert table and all(isinstance(name, str) and math.isfinite(weight) for name, weight in table.items())
    assert weights.model.keys() <= {"string", "number", "options", "array", "boolean", "object", "tool"}
    assert all(math.isfinite(number) for belief in weights.model.values() for number in belief)


def test_the_doubt_that_ships_is_finite_and_without_numbers_nothing_is_settled() -> None:
    doubt = fitted().doubt
    assert all(0 <= number < 9 for number in (doubt.below, doubt.above, doubt.ahead))
    old = {"features": {}, "model": {"string": [1, 2]}, "counts": {}, "tools": {}, "relevance": {}}
    assert math.isinf(Weights.of(old).doubt.below) and Weights.of(old).model == {"string": Belief(1, 2, 0)}


def test_weights_cannot_be_exchanged() -> None:
    with pytest.raises(AttributeError):
        fitted().features = {}  # type: ignore[misc]
