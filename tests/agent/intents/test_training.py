"""Training: from a handful of examples, with and without rows to fit the margin on; what it refuses."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.intents import examples as reading
from linnet.agent.intents import training
from linnet.agent.intents.classifier import Confidence
from linnet.agent.intents.examples import Example, check, few, load
from linnet.agent.intents.file import load as read
from linnet.agent.intents.file import save
from linnet.agent.intents.margin import Judged, fitted
from linnet.agent.intents.training import train
from linnet.errors import InputInvalid, RequestError
from linnet.limits import LIMITS

SAID = {
    "play_music": ["play some jazz", "put on a song", "play my favourite album", "i want to hear music", "play rock"],
    "weather": [
        "will it rain today",
        "is it cold outside",
        "what is the weather",
        "how warm is it",
        "any snow today",
    ],
    "timer": ["set a timer", "wake me in ten minutes", "start a countdown", "timer for an hour", "set an alarm"],
    "news": ["read me the news", "what happened today", "latest headlines", "any news on sports", "news please"],
}
KNOWN = tuple(Example(text, intent) for intent, texts in SAID.items() for text in texts)
STRANGE = tuple(map(Example, ["who painted this", "translate cat", "book a flight", "two plus two", "buy shoes"]))


def test_a_handful_of_examples_is_enough_to_tell_them_apart() -> None:
    classifier = train(KNOWN)
    for text, intent in (("play a song", "play_music"), ("is it warm today", "weather"), ("set the timer", "timer")):
        assert classifier.read(text).nearest == intent
    assert classifier.read("quantum chromodynamics").intent is None
    assert classifier.intents == tuple(sorted(SAID)) and classifier.about["rows"] == 20


def test_what_is_out_of_scope_is_learnt_as_no_intent() -> None:
    told = train([*KNOWN, *STRANGE])
    assert told.intents == tuple(sorted(SAID)) and told.about["out_of_scope_rows"] == 5
    before = train(KNOWN)
    assert all(told.measure(row.text).best < before.measure(row.text).best for row in STRANGE)


def test_the_margin_is_fitted_on_validation_rows_alone() -> None:
    rows = [Example("play jazz", "play_music"), Example("rain today", "weather"), Example("alarm", "timer")]
    lax, strict = train(KNOWN, rows, give_up=0.0), train(KNOWN, rows, give_up=0.99)
    assert all(lax.read(row.text).intent == row.intent for row in rows)
    assert sum(strict.read(row.text).intent == row.intent for row in rows) == 1
    with_strange = train([*KNOWN, *STRANGE], rows, give_up=0.0)
    assert np.array_equal(with_strange.weights, lax.weights) and with_strange.margin == lax.margin


def test_the_same_examples_give_the_same_classifier() -> None:
    one, other = train([*KNOWN, *STRANGE]), train([*KNOWN, *STRANGE])
    assert np.array_equal(one.weights, other.weights) and one.margin == other.margin


@pytest.mark.parametrize("each", [1, 2])
def test_two_intents_of_very_few_examples(each: int, tmp_path: Path) -> None:
    classifier = train(few([row for row in KNOWN if row.intent in ("timer", "weather")], each))
    save(classifier, tmp_path / "two.npz")
    assert read(tmp_path / "two.npz").read("set a timer").nearest == "timer"
    assert classifier.read("will it rain today").nearest == "weather"


def test_rare_ngrams_are_left_out_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(KNOWN, KNOWN)
    monkeypatch.setattr(training, "_ROWS_FOR_RARE", 20)
    lean = train(KNOWN, KNOWN)
    assert set(lean.ngrams) < set(whole.ngrams) and lean.seen.min() == 2


def test_no_more_ngrams_than_the_limits_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    for limits, most in (({"intent_ngrams": 50}, 50), ({"intent_weights": 400}, 100)):
        monkeypatch.setattr(training, "LIMITS", replace(LIMITS, **limits))
        assert len(train(KNOWN, KNOWN).ngrams) == most


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="needs scikit-learn") as caught:
        train(KNOWN)
    assert "linnet[intents]" in caught.value.hint


# --- the margin ----------------------------------------------------------------------------------


def judged(confidences: list[tuple[float, bool, bool]]) -> Judged:
    """Rows of (best, right, in scope)."""
    measures = np.array([(best, 0.0, 0.0) for best, _, _ in confidences]).reshape(-1, 3)
    return Judged(measures, *(np.array([row[at] for row in confidences], bool) for at in (1, 2)))


def test_no_rows_no_margin() -> None:
    assert fitted([], 0.1) == (Confidence(), 0.0)
    assert fitted([judged([(1.0, False, False)])], None)[1] == 0.0


def test_no_more_is_given_up_than_was_said() -> None:
    rows = judged([(n / 10, True, True) for n in range(10)])
    for give_up, kept in ((0.0, 10), (0.19, 9), (0.2, 8), (1.0, 1)):
        confidence, margin = fitted([rows], give_up)
        assert sum(confidence.best * best >= margin for best, _, _ in rows.measures) == kept


def test_what_loses_least_on_both_sides() -> None:
    inside = [(float(n), True, True) for n in (1, 5, 6, 7, 8, 9, 10)]
    outside = [(float(n), False, False) for n in (0, 1, 2, 2, 3, 4)]
    confidence, margin = fitted([judged(inside), judged(outside)], None)
    line = (margin - confidence.bias) / confidence.best
    assert 4 < line <= 5, "one of seven is lost, and all that are out of scope are refused"


# --- files of examples ---------------------------------------------------------------------------


def written(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_lines(tmp_path: Path) -> None:
    rows = [{"text": "hi", "intent": "a"}, "", {"text": "ho", "intent": None, "split": "test"}]
    found = load(written(tmp_path, *rows))
    assert (found.train, found.validation, found.test) == ((Example("hi", "a"),), (), (Example("ho"),))
    assert load(written(tmp_path, rows[0])).train == (Example("hi", "a"),), "a single line is an object, too"


def test_the_form_of_clinc150(tmp_path: Path) -> None:
    lists = {
        "train": [["hi", "a"]],
        "val": [["ha", "b"]],
        "test": [],
        "oos_train": [["he", "oos"]],
        "oos_test": [["ho", "oos"]],
    }
    found = load(written(tmp_path, lists))
    assert found.train == (Example("hi", "a"), Example("he"))
    assert (found.validation, found.test) == ((Example("ha", "b"),), (Example("ho"),))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["{"], "line 1: Invalid JSON"),
        ([{"text": "hi", "intent": "a"}, {"text": "hi"}], "line 2: intent: Field required"),
        ([{"text": "hi", "intent": "a", "split": "dev"}], "line 1: split"),
        ([{"text": "", "intent": "a"}], "line 1: '' is no example of a: text"),
        (
            [{"text": "h" * (LIMITS.intent_chars + 1), "intent": "a"}],
            "line 1: 'hhh.* text: String should have at most",
        ),
        ([{"text": "h", "intent": "a" * (LIMITS.intent_name_chars + 1)}], "line 1: .* intent: String should"),
        ([{"other": []}], "unknown list 'other'"),
        ([{"train": [["a"]]}], "train.0"),
        ([{"train": [["", "a"]]}], "train, row 0: '' is no example of a: text"),
        (['{"oos_test": [["\\ud800", "oos"]]}'], "oos_test, row 0: .* unicode string"),
        (["[" * 9_999], "line 1: Invalid JSON"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(InputInvalid, match=said) as caught:
        load(written(tmp_path, *rows))
    assert "rows.jsonl" in caught.value.message


def test_texts_and_names_at_the_limit(tmp_path: Path) -> None:
    row = {"text": "h" * LIMITS.intent_chars, "intent": "a" * LIMITS.intent_name_chars}
    assert len(load(written(tmp_path, row)).train) == 1


def test_a_file_one_byte_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, {"text": "hi", "intent": "a"})
    for most, fits in ((path.stat().st_size, True), (path.stat().st_size - 1, False)):
        monkeypatch.setattr(reading, "LIMITS", replace(LIMITS, intent_examples_bytes=most))
        if fits:
            assert load(path).train
        else:
            with pytest.raises(InputInvalid, match="is over"):
                load(path)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "rows"
    path.write_bytes(body)
    try:
        load(path)
    except InputInvalid as error:
        assert error.details["path"] == str(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read: No such file"):
        load(tmp_path / "away")


def test_what_no_classifier_is_trained_on() -> None:
    for rows in ([], STRANGE, KNOWN[:5]):
        with pytest.raises(RequestError, match="intents have examples"):
            check(rows)


def test_one_intent_or_example_too_many() -> None:
    intents = [Example("a", str(n)) for n in range(LIMITS.intents + 1)]
    check(intents[1:])
    with pytest.raises(RequestError, match="1,025 intents are over the limit"):
        check(intents)
    check(KNOWN * 5_000)
    with pytest.raises(RequestError, match="100,001 examples are over the limit"):
        check([*KNOWN * 5_000, KNOWN[0]])
