"""Slot spans: reading sentences, what counts as the same words, and the counting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid, ToolFailed
from linnet.evals.spans import SLOTS, Found, Sentence, booking, evaluate, load, normal, totals
from linnet.requests import Capabilities, Done, Event, Request

DATA = Path(__file__).parents[3] / "shared" / "data" / "restaurant8k" / "test.json"


def row(text: str, *labels: Any, asked: list[str] | None = None) -> dict[str, Any]:
    given: dict[str, Any] = {"userInput": {"text": text}}
    if asked is not None:
        given["context"] = {"requestedSlots": asked}
    return {**given, "labels": list(labels)} if labels else given


def label(slot: str, *span: int) -> dict[str, Any]:
    return {"slot": slot, "valueSpan": dict(zip(("endIndex", "startIndex"), reversed(span), strict=False))}


def write(folder: Path, value: Any) -> Path:
    path = folder / "test.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_sentences_are_read(tmp_path: Path) -> None:
    rows = [row("at 7pm.", label("time", 3, 7)), row("13", label("people", 2), asked=["people"]), row("no"), {"x": 1}]
    one, two, three, four = load(write(tmp_path, rows))
    assert (one.slots, one.requested, one.id) == ({"time": "7pm."}, (), "0")
    assert (two.slots, two.requested) == ({"people": "13"}, ("people",))
    assert three.slots == {} and not three.fault
    assert "row 3 cannot be read" in four.fault


def test_a_limit_is_spread_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, [row(str(i)) for i in range(10)])
    assert [sentence.text for sentence in load(path, 3)] == ["0", "3", "6"]
    assert [sentence.text for sentence in load(path, 99)] == [str(i) for i in range(10)]


def test_files_of_another_form(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no data file"):
        load(tmp_path / "away.json")
    for text, said in (("[", "is not JSON"), ("{}", "is not a list"), ("[]", "is not a list")):
        with pytest.raises(InputInvalid, match=said):
            load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "same"),
    [("7pm.", "7PM"), (" two  people ", "Two people"), ("07:45", "07:45"), ("...", ""), ("o'Neil", "O'Neil!")],
)
def test_words_as_they_are_compared(text: str, same: str) -> None:
    assert normal(text) == normal(same)


def test_other_words_are_other() -> None:
    assert normal("the 19th") != normal("19th") and normal("7:45") != normal("745")


def test_slots_are_optional_texts_and_the_question_is_told() -> None:
    tool = booking(("date", "time"))
    assert set(tool.parameters["properties"]) == set(SLOTS) and tool.parameters["required"] == []
    assert {schema["type"] for schema in tool.parameters["properties"].values()} == {"string"}
    assert "the date and the time" in tool.description and "asked" not in booking(()).description


def found(expected: dict[str, str], slots: dict[str, str], error: Any = None) -> Found:
    return Found(Sentence("0", "", (), expected), slots, 0.5, error=error)


def test_counting() -> None:
    numbers = totals(
        [
            found({"time": "7pm.", "people": "4"}, {"time": "7PM"}),
            found({"time": "8"}, {"time": "9", "date": "today"}),
            found({}, {}),
            found({"time": "6"}, {}, error={"code": "x"}),
            found({}, {}, error={"code": "x"}),
        ]
    )
    time = numbers["slots"]["time"]
    assert (time["hits"], time["found"], time["expected"]) == (1, 2, 3)
    assert (time["precision"], time["recall"], time["f1"]) == (0.5, 1 / 3, 0.4)
    assert numbers["slots"]["people"]["recall"] == 0 and numbers["slots"]["people"]["precision"] is None
    assert numbers["slots"]["last_name"]["f1"] is None
    assert numbers["all"]["f1"] == 2 * 1 / (3 + 4)
    assert (numbers["right"], numbers["of"], numbers["errors"]) == (1, 5, 2)
    assert totals([])["share"] is None


class Failing:
    capabilities = Capabilities("failing", 10)

    def stream(self, request: Request) -> Iterator[Event]:
        raise ToolFailed("told to")


def test_what_a_sentence_raises_is_its_own_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Done:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("linnet.evals.spans.fill", broken)
    given = [Sentence("0", "table at 7", (), {"time": "7"}), Sentence("1", "", (), {}, "row 1 is broken")]
    first, second = (outcome.describe() for outcome in evaluate(Failing(), given))
    assert "ZeroDivisionError" in first["error"]["message"] and first["right"] is False
    assert second["error"]["message"] == "row 1 is broken" and second["right"] is False


@pytest.mark.skipif(not DATA.is_file(), reason="RESTAURANTS-8K is not beside the project")
def test_the_test_set_is_read_whole() -> None:
    sentences = load(DATA)
    assert len(sentences) == 3_731 and not any(sentence.fault for sentence in sentences)
    assert {slot for sentence in sentences for slot in sentence.slots} == set(SLOTS)
