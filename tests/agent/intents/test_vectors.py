"""Intents that are told by vectors too: what a made-up embedding knows and n-grams cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet import Intent, Router
from linnet.agent.intents.examples import example
from linnet.agent.intents.training import train
from linnet.errors import KindUnsupported, SettingsInvalid

pytest.importorskip("sklearn")

WARM = ("sun", "heat", "fire", "summer", "flame", "desert")
COLD = ("ice", "snow", "frost", "winter", "glacier", "hail")


class Temperature:
    """Vectors that know what is warm, and were asked for so often."""

    name = "temperature 1"

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, texts: Sequence[str]) -> Any:
        self.asked += 1
        rows = [(sum(word in text for word in WARM), sum(word in text for word in COLD)) for text in texts]
        return np.array([row if any(row) else (0.7, 0.7) for row in rows], np.float32)


ROWS = [example(f"i like {word}", "warm") for word in WARM[:4]] + [
    example(f"i like {word}", "cold") for word in COLD[:4]
]


def test_a_word_that_was_never_seen_is_told_by_its_vector() -> None:
    embed = Temperature()
    classifier = train(ROWS, embed=embed)
    assert embed.asked == 1, "all rows are embedded together, once"
    assert classifier.read("i like the desert").nearest == "warm"
    found = classifier.read("i like the glacier")
    assert found.nearest == "cold" and "(its vector)" in [evidence.ngram for evidence in found.evidence]


def test_a_router_keeps_which_vectors_and_wants_the_same(tmp_path: Path) -> None:
    intents = [Intent("warm", [f"i like {w}" for w in WARM[:4]], answer="W"), Intent("cold", answer="C")]
    intents[1] = Intent("cold", [f"i like {w}" for w in COLD[:4]], answer="C")
    Router(intents=intents, embed=Temperature()).save(tmp_path / "a.npz")
    again = Router(intents=intents, classifier=tmp_path / "a.npz", embed=Temperature(), margin=-1e6)
    assert again.consider("i like the desert").answer == "W"
    with pytest.raises(SettingsInvalid, match="trained with vectors"):
        Router(intents=intents, classifier=tmp_path / "a.npz")
    other = Temperature()
    other.name = "another"
    with pytest.raises(SettingsInvalid, match="other vectors"):
        Router(intents=intents, classifier=tmp_path / "a.npz", embed=other)


def test_a_classifier_without_vectors_asks_for_none(tmp_path: Path) -> None:
    intents = [Intent("warm", ["i like sun"], answer="W"), Intent("cold", ["i like ice"], answer="C")]
    Router(intents=intents).save(tmp_path / "a.npz")
    embed = Temperature()
    assert Router(intents=intents, classifier=tmp_path / "a.npz", embed=embed).consider("i like sun").reading
    assert embed.asked == 0


def test_vectors_that_fail_cost_no_answer() -> None:
    class Failing(Temperature):
        def __call__(self, texts: Sequence[str]) -> Any:
            if self.asked:
                raise KindUnsupported("no model is there")
            return super().__call__(texts)

    intents = [Intent("warm", ["i like sun"], answer="W"), Intent("cold", ["i like ice"], answer="C")]
    decision = Router(intents=intents, embed=Failing()).consider("i like sun")
    assert decision.answer is None and decision.why.endswith("no model is there")
