"""Fits the rule by which `linnet.calling.choose` tells a request for a tool from one for none.

`python -m linnet.evals.relevance CASES.jsonl` reads lines `{text, wanted, tools: [{name, description,
parameters}]}`, collects the features of each case's best candidate with the default model, and prints the
weights, the AUC, and the two error rates at several margins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linnet.calling.choose import CANDIDATES, Candidate, rank
from linnet.calling.retrieve import Retriever
from linnet.requests import Model
from linnet.runtime.local import open_local
from linnet.tools import Tool

Array = NDArray[np.float64]


def features(model: Model, text: str, tools: list[Tool]) -> list[float]:
    """Those of the best candidate, in the order of Weights."""
    best: Candidate = rank(model, Retriever(tools).candidates(text, CANDIDATES), text)[0][0]
    return [best.overlap, best.gain, min(2, best.supported), min(2, best.unsupported)]


def fit(x: Array, y: Array, steps: int = 8_000, rate: float = 0.3, ridge: float = 1e-3) -> Array:
    """Logistic regression by gradient descent on standardised features; the last weight is the bias."""
    scale = x.std(axis=0)
    z = np.c_[x / scale, np.ones(len(x))]
    weights = np.zeros(z.shape[1])
    for _ in range(steps):
        weights += rate * (z.T @ (y - 1 / (1 + np.exp(-z @ weights))) / len(y) - ridge * weights)
    return np.asarray(np.r_[weights[:-1] / scale, weights[-1]])


def auc(scores: Array, y: Array) -> float:
    """The chance that a request for a tool scores above one for none (Mann-Whitney)."""
    wanted, unwanted = scores[y == 1][:, None], scores[y == 0][None, :]
    return float(np.mean((wanted > unwanted) + 0.5 * (wanted == unwanted)))


def main() -> int:
    cases = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    model = open_local()
    try:
        tools = [[Tool.from_schema(**tool) for tool in case["tools"]] for case in cases]
        x = np.array([features(model, c["text"], t) for c, t in zip(cases, tools, strict=True)])
    finally:
        model.close()
    y = np.array([float(case["wanted"]) for case in cases])
    weights = fit(x, y)
    scores = np.c_[x, np.ones(len(x))] @ weights
    print("overlap, gain, supported, unsupported, bias:", np.round(weights, 3).tolist())
    print(f"AUC {auc(scores, y):.3f} on {len(y)} cases")
    for margin in (0.0, -0.3, -0.6, -0.9):
        called = scores > margin
        print(f"margin {margin:+.1f}: called {called[y == 1].mean():.2f}, left alone {(~called)[y == 0].mean():.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
