"""What examples share with judged data is found; what they do not share is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linnet.errors import InputInvalid
from linnet.evals.training.example import Example
from linnet.evals.training.synthesis.leaks import GRAM, check, runs, table
from linnet.evals.training.synthesis.synthesise import general
from linnet.messages import ToolCall, ToolSpec

JUDGED = Path(__file__).parents[5] / "shared" / "data"
TOOL = ToolSpec("count.sheep", "Counts all of the sheep that are on a meadow at night.", {"type": "object"})
CLEAN = Example((TOOL,), "please count the sheep on the meadow behind our old house", (ToolCall("count.sheep", {}),))
PLANTED = "so Please count the sheep, on the meadow behind our house"


def judged(folder: Path, *values: object) -> Path:
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "cases.jsonl").write_text("\n".join(json.dumps(value) for value in values))
    return folder


def test_nothing_shared_is_nothing_found(tmp_path: Path) -> None:
    (row,) = check([CLEAN], [judged(tmp_path, {"name": "count.goats", "question": [["how many sheep are there"]]})])
    assert (row.source, row.texts, row.names, row.requests, row.descriptions) == ("set", 2, set(), set(), set())


def test_a_planted_leak_is_found_whatever_its_marks_and_capitals(tmp_path: Path) -> None:
    """In the request, in a description, and in a name."""
    values = [
        {"q": {"deep": [PLANTED]}},
        {"function": {"name": "Count.Sheep", "description": TOOL.description.upper()}},
    ]
    (row,) = check([CLEAN, CLEAN], [judged(tmp_path, *values)])
    assert row.requests == {1, 2} and row.descriptions == {TOOL.description} and row.names == {"Count.Sheep"}
    assert "please count the sheep on the meadow behind" in row.runs
    shown = "\n".join(table([row], 2))
    assert "shared name: Count.Sheep" in shown and "shared words: please count the sheep" in shown
    assert json.loads(json.dumps(row.describe()))["requests"] == 2


def test_one_word_fewer_is_no_leak(tmp_path: Path) -> None:
    words = " ".join(PLANTED.replace(",", "").split()[1:GRAM])
    (row,) = check([CLEAN], [judged(tmp_path, words)])
    assert row.requests == set()


def test_lines_that_are_no_json_are_read_as_text(tmp_path: Path) -> None:
    folder = judged(tmp_path)
    (folder / "set" / "cases.jsonl").write_text(PLANTED)
    assert check([CLEAN], [folder])[0].requests == {1}


def test_a_folder_without_data(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no data to compare"):
        check([CLEAN], [tmp_path])


def test_runs_of_words() -> None:
    assert list(runs("a b c d e f g")) == []
    assert list(runs("A b, c d e f g H i")) == ["a b c d e f g h", "b c d e f g h i"]


@pytest.mark.skipif(not JUDGED.is_dir(), reason="the judged data is not on this machine")
def test_what_is_made_up_shares_next_to_nothing_with_the_judged_data() -> None:
    """No name of a tool, and at most one request in a hundred has eight words in a row that some case has too."""
    sets = [JUDGED / name for name in ("bfcl_dev", "tool_calls")]
    rows = check(general(0).examples(1_000), [folder for folder in sets if folder.is_dir()])
    assert {row.source for row in rows} == {"bfcl_dev", "tool_calls"}
    for row in rows:
        assert row.names == set() and len(row.requests) <= 10 and row.descriptions == set()
