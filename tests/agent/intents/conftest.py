"""What the tests of intents share: a classifier made by hand, two intents that a word each decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from linnet.agent.intents.classifier import Classifier, Confidence


def _by_hand(margin: float = 0.0) -> Classifier:
    """`open` says hours, `table` says booking, `please` says nothing."""
    return Classifier(
        intents=("booking", "hours"),
        ngrams=("wopen", "wplease", "wtable"),
        weights=np.array([[-100, 100], [0, 0], [100, -100]], np.int8),
        scales=np.array([0.05, 0.05], np.float32),
        bias=np.array([-0.5, -0.5], np.float32),
        seen=np.array([9, 99, 4], np.uint32),
        confidence=Confidence(bias=-0.5, best=2.0, gap=0.5, rarity=-1.0),
        margin=margin,
        about={"rows": 10, "seconds": 0.25, "note": "by hand"},
    )


@pytest.fixture(scope="session")
def by_hand() -> Callable[..., Classifier]:
    return _by_hand
