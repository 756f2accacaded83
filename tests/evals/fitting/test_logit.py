"""The two fits on data whose weights are known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from linnet.evals.fitting.logit import Choices, Decision, Row, Score, auc, binary, rounded

ALL = np.ones(4_000, dtype=bool)
KNOWN = {"near": 1.5, "far": -0.8, "size": 0.4}


def drawn(count: int, weights: Mapping[str, float] = KNOWN, options: int = 5, seed: int = 1) -> Iterator[Decision]:
    """Decisions whose right option was drawn by the probabilities that the weights give."""
    draw = np.random.default_rng(seed)
    for case in range(count):
        x = draw.normal(size=(options, len(weights))).round(3)
        chance = np.exp(x @ list(weights.values()))
        taken = draw.choice(options, p=chance / chance.sum())
        rows = [dict(zip(weights, row, strict=True)) for row in x.tolist()]
        yield Decision(case, rows, [i == taken for i in range(options)])


# --- which of several ----------------------------------------------------------------------------


def test_the_weights_that_made_the_decisions_are_found() -> None:
    found = Choices(drawn(4_000)).fit(ALL, ridge=0.1)
    assert found == pytest.approx(KNOWN, abs=0.12)


def test_of_several_right_options_any_one_will_do() -> None:
    """Two thirds of the options are right, and `here` is on all of those: only the wrong one is to be told."""
    rows = [{"here": 1.0, "one": 1.0}, {"here": 1.0, "two": 1.0}, {"gone": 1.0}]
    found = Choices(Decision(i, rows, [True, True, False]) for i in range(50)).fit(ALL, ridge=1.0)
    assert found["here"] > 1 and found["gone"] < -1
    assert found["one"] == found["two"] < found["here"]


def test_a_ridge_pulls_towards_the_start() -> None:
    made = Choices(drawn(200))
    free, held = made.fit(ALL, ridge=0.1), made.fit(ALL, ridge=1e3)
    assert sum(w * w for w in held.values()) < 0.1 * sum(w * w for w in free.values())
    start = {"near": -2.0}
    assert made.fit(ALL, ridge=1e6, start=start) == pytest.approx(start, abs=0.02)


def test_a_fit_on_a_part_is_a_fit_without_the_rest() -> None:
    part = np.arange(4_000) % 3 == 0
    whole, alone = Choices(drawn(300)), Choices(d for d in drawn(300) if part[d.case])
    assert whole.fit(part, ridge=1.0) == alone.fit(ALL, ridge=1.0) != whole.fit(ALL, ridge=1.0)
    assert whole.score(part, KNOWN) == alone.score(ALL, KNOWN)


def test_a_rare_feature_gets_no_weight() -> None:
    """However many options of one decision have it."""
    rare = [Decision(i, [{"often": 1.0, "rare": 1.0}, {"rare": 1.0}, {}], [True, False, False]) for i in range(2)]
    made = Choices([*rare, *(Decision(i, [{"often": 1.0}, {}], [True, False]) for i in range(2, 9))])
    assert list(made.fit(ALL, ridge=0.1)) == ["often"]
    assert list(made.fit(ALL, ridge=0.1, seen=2)) == ["often", "rare"]


def test_what_leaves_no_choice_teaches_nothing() -> None:
    dull = [Decision(i, [{"near": 1.0}, {"far": 1.0}], [False, False]) for i in range(20)]
    dull += [Decision(i, [{"near": -3.0}], [True]) for i in range(20)] + [Decision(7, [], [])]
    assert Choices([*drawn(300), *dull]).fit(ALL, 1.0) == Choices(drawn(300)).fit(ALL, 1.0)
    assert Choices(dull).fit(ALL, 1.0) == Choices([]).fit(ALL, 1.0) == {}


def test_a_decision_may_count_several_times() -> None:
    once = list(drawn(50))
    twice = [Decision(d.case, d.options, d.right, times=2.0) for d in once]
    assert Choices(twice).fit(ALL, 1.0) == pytest.approx(Choices(once * 2).fit(ALL, 1.0), abs=2e-3)


def test_the_order_of_features_does_not_matter() -> None:
    turned = [Decision(d.case, [dict(reversed(o.items())) for o in d.options], d.right) for d in drawn(300)]
    assert Choices(turned).fit(ALL, 1.0) == Choices(drawn(300)).fit(ALL, 1.0)


def test_a_score_by_hand() -> None:
    right = Decision(0, [{"a": math.log(3.0)}, {}], [True, False])
    wrong = Decision(1, [{"a": math.log(3.0)}, {}], [False, True])
    nowhere = Decision(2, [{"a": 1.0}], [False])
    found = Choices([right, wrong, nowhere, Decision(3, [], [])]).score(ALL, {"a": 1.0, "unknown": 5.0})
    assert found.log_likelihood == pytest.approx(math.log(3 / 4) + math.log(1 / 4))
    assert (found.told, found.best, found.of) == (2, 1, 4)
    assert Choices([Decision(3, [], [])]).score(ALL, {}) == Score(of=1)
    assert sum([found, Score(-1.0, 1, 1, 1)], Score()).of == 5


def test_large_logits_do_not_overflow() -> None:
    found = Choices([Decision(0, [{"a": 1e5}, {"a": -1e5}], [True, False])]).score(ALL, {"a": 10.0})
    assert found.log_likelihood == 0.0 and found.best == 1


# --- whether one thing is so ---------------------------------------------------------------------


def rows(x: np.ndarray, y: np.ndarray) -> list[Row]:
    return [
        Row(i, {f"f{j}": v for j, v in enumerate(r)}, bool(t))
        for i, (r, t) in enumerate(zip(x.tolist(), y, strict=True))
    ]


def test_the_weights_that_made_the_rows_are_found() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=(8_000, 2)) * [1.0, 20.0]
    y = draw.random(8_000) < 1 / (1 + np.exp(-(x @ [1.5, -0.05] + 0.7)))
    assert binary(rows(x, y)) == pytest.approx({"f0": 1.5, "f1": -0.05, "bias": 0.7}, rel=0.12)


def test_the_fit_is_at_the_minimum_of_its_loss() -> None:
    """The gradient of the penalised mean log-loss is zero there, in scaled features."""
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(50, 3)), draw.integers(0, 2, 50)
    found = binary(rows(x, y), ridge=0.01)
    scale, bias = x.std(axis=0), found["bias"]
    z, w = np.c_[x / scale, np.ones(50)], np.array([*(found[f"f{j}"] * scale[j] for j in range(3)), bias])
    gradient = z.T @ (1 / (1 + np.exp(-z @ w)) - y) / 50 + 0.01 * w
    np.testing.assert_allclose(gradient, 0, atol=1e-4)  # the weights have four digits


def test_a_ridge_keeps_separable_rows_finite() -> None:
    found = binary(rows(np.array([[-1.0], [1.0]]), np.array([0, 1])))
    assert math.isfinite(found["f0"]) and found["f0"] > 1 and "bias" not in found


def test_what_never_varies_gets_no_weight() -> None:
    found = binary([Row(0, {"same": 2.0, "a": 1.0}, True), Row(1, {"same": 2.0}, False)])
    assert "same" not in found and found["a"] > 1
    assert binary([]) == {} and binary([Row(0, {}, True)])["bias"] > 1


@pytest.mark.parametrize(
    ("scores", "right", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], 1.0),
        ([4.0, 3.0, 2.0, 1.0], [0, 0, 1, 1], 0.0),
        ([1.0, 1.0], [0, 1], 0.5),
        ([1.0, 3.0, 2.0, 4.0], [0, 0, 1, 1], 0.75),
    ],
)
def test_auc(scores: list[float], right: list[bool], expected: float) -> None:
    assert auc(scores, right) == expected


def test_auc_counts_pairs() -> None:
    draw = np.random.default_rng(1)
    scores, right = draw.integers(0, 9, 60).tolist(), draw.integers(0, 2, 60).tolist()
    marked = list(zip(scores, right, strict=True))
    pairs = [(a > b) + 0.5 * (a == b) for a, yes in marked if yes for b, also in marked if not also]
    assert auc(scores, right) == pytest.approx(sum(pairs) / len(pairs))
    assert math.isnan(auc([1.0], [True]))


def test_rounding() -> None:
    assert list(rounded({"b": 0.12345, "a": -0.019, "c": 0.0}, 3, 0.02).items()) == [("b", 0.123)]
    assert rounded({"a": 0.00004, "b": -1.00006}, 4) == {"b": -1.0001}
