"""A classifier at work: the likeliest intent, how sure, why, and when there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from linnet.agent.intents.classifier import NOTHING_KNOWN, Classifier, Reading
from linnet.limits import LIMITS

Make = Callable[..., Classifier]


def test_the_likeliest_intent_and_why(by_hand: Make) -> None:
    reading = by_hand().read("Open please")
    assert (reading.intent, reading.nearest, reading.runner_up) == ("hours", "hours", "booking")
    assert reading.evidence[0].ngram == "open" and reading.evidence[0].weight > 0
    assert reading.why.startswith("intent hours rather than booking (confidence +") and "'open' +" in reading.why
    assert by_hand().read("a table").intent == "booking"


def test_evidence_is_what_the_scores_differ_by(by_hand: Make) -> None:
    classifier = by_hand()
    measured = classifier.measure("open the table")
    told = sum(found.weight for found in classifier.read("open the table").evidence)
    assert told == pytest.approx(measured.gap, abs=1e-3), "the biases are equal"


def test_below_the_margin_there_is_none(by_hand: Make) -> None:
    sure = by_hand().read("open please").confidence
    assert by_hand(sure - 0.001).read("open please").intent == "hours"
    reading = by_hand(sure + 0.001).read("open please")
    assert reading.intent is None and reading.nearest == "hours"
    assert reading.why.startswith("out of scope: nearest is hours")
    assert by_hand().read("open please", margin=sure + 0.001).intent is None


def test_rare_words_make_less_sure(by_hand: Make) -> None:
    classifier = by_hand()
    assert classifier.rarity("please") == pytest.approx(0.01) and classifier.rarity("zyzzyva") == 1
    assert classifier.rarity("open zyzzyva") == pytest.approx(0.55) and classifier.rarity("") == 1


@pytest.mark.parametrize("text", ["", "?!", "zyzzyva", "\x00", "日本語"])
def test_nothing_known_is_out_of_scope(text: str, by_hand: Make) -> None:
    reading = by_hand(-100).read(text)
    assert reading.intent is None and "nothing in it was seen" in reading.why
    assert reading.confidence == -NOTHING_KNOWN < reading.margin


def test_a_long_text_has_no_intent(by_hand: Make) -> None:
    text = "open ".ljust(LIMITS.intent_chars)
    assert by_hand(-100).read(text).intent == "hours"
    reading = by_hand(-100).read(text + " ")
    assert reading.intent is None and f"longer than {LIMITS.intent_chars:,}" in reading.why


def test_the_json_form(by_hand: Make) -> None:
    told = by_hand().read("open").describe()
    assert set(told) == {*Reading.__dataclass_fields__, "why"} and told["intent"] == "hours"
    assert told["evidence"][0]["ngram"] == "open"


def test_it_runs_without_scikit_learn() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['scipy'] = None\n"
        "from pathlib import Path\n"
        "from linnet.agent.intents.file import load\n"
        "from linnet.agent.router import Router\n"
        "import linnet.agent.intents.classifier\n"
        "assert not {'sklearn.svm', 'scipy.sparse'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
