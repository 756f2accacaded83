"""The fit of the rule that tells requests for a tool from others: pure numbers."""

from __future__ import annotations

import numpy as np
import pytest

from linnet.evals.relevance import auc, fit


@pytest.mark.parametrize(
    ("scores", "y", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], 1.0),
        ([4.0, 3.0, 2.0, 1.0], [0, 0, 1, 1], 0.0),
        ([1.0, 1.0], [0, 1], 0.5),
        ([1.0, 3.0, 2.0, 4.0], [0, 0, 1, 1], 0.75),
    ],
)
def test_auc(scores: list[float], y: list[int], expected: float) -> None:
    assert auc(np.array(scores), np.array(y)) == expected


def test_auc_counts_pairs() -> None:
    draw = np.random.default_rng(1)
    scores, y = draw.integers(0, 9, 60).astype(float), draw.integers(0, 2, 60)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[y == 1] for b in scores[y == 0]]
    assert auc(scores, y) == pytest.approx(sum(pairs) / len(pairs))


def test_fit_finds_the_weights_that_made_the_data() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=(8_000, 2)) * [1.0, 20.0]
    chance = 1 / (1 + np.exp(-(x @ [1.5, -0.05] + 0.7)))
    y = (draw.random(8_000) < chance).astype(float)
    np.testing.assert_allclose(fit(x, y, steps=2_000), [1.5, -0.05, 0.7], rtol=0.12)


def test_fit_is_at_the_minimum_of_its_loss() -> None:
    """The gradient of the penalised mean log-loss is zero there, in standardised features."""
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(50, 3)), draw.integers(0, 2, 50).astype(float)
    w = fit(x, y, ridge=0.01)
    scale = x.std(axis=0)
    z, weights = np.c_[x / scale, np.ones(50)], np.r_[w[:-1] * scale, w[-1]]
    gradient = z.T @ (y - 1 / (1 + np.exp(-z @ weights))) / 50 - 0.01 * weights
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


def test_a_ridge_keeps_separable_data_finite() -> None:
    w = fit(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]))
    assert np.isfinite(w).all() and w[0] > 1 and abs(w[1]) < 1e-9
