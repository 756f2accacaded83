"""Word problems as an eval: the cases, the ways, and the counting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from linnet.agent.sums import given, reach
from linnet.errors import InputInvalid, WorkerCrashed
from linnet.evals import wordtasks
from linnet.evals.sums import WAYS, Outcome, chosen, evaluate, totals
from linnet.evals.wordtasks import Task
from linnet.requests import Capabilities, Event, Request

DATA = Path(__file__).parents[3] / "shared" / "data" / "gsm8k"


def write(folder: Path, *rows: object) -> Path:
    (folder / "test.jsonl").write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return folder


def row(question: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": f"so\n#### {answer}"}


def test_cases_are_read_and_spread(tmp_path: Path) -> None:
    folder = write(tmp_path, *(row(f"q{at}", f"1,{at:03}") for at in range(10)), "")
    assert wordtasks.load(folder, 2) == (Task("0", "q0", 1000.0), Task("5", "q5", 1005.0))
    assert len(wordtasks.load(folder)) == len(wordtasks.load(folder, 99)) == 10


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "q"}', '{"question": "q", "answer": "none"}'])
def test_what_is_no_case(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputInvalid, match="line 2 of"):
        wordtasks.load(write(tmp_path, row("q", "1"), line))


def test_no_file_and_no_case(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read"):
        wordtasks.load(tmp_path)
    with pytest.raises(InputInvalid, match="there is no case in"):
        wordtasks.load(write(tmp_path, ""))
    with pytest.raises(InputInvalid, match="there is no case"):
        wordtasks.together(None, None, 0, 0)


def test_made_up_tasks_are_the_same_for_a_seed_and_can_be_calculated() -> None:
    tasks = wordtasks.made(60, seed=3)
    assert tasks == wordtasks.made(60, seed=3) != wordtasks.made(60, seed=4)
    assert {task.kind for task in tasks} == {"one step", "two steps"}
    for task in tasks:
        assert "{" not in task.text and task.answer >= 0 and task.answer.is_integer()
        assert any(abs(value - task.answer) < 1e-6 for value in reach(given(task.text))), task


def test_ways_by_name() -> None:
    assert chosen(()) == tuple(WAYS) and chosen(("rules", "ask")) == ("ask", "rules")
    with pytest.raises(InputInvalid, match="no way 'calculat'") as error:
        chosen(("calculat",))
    assert "'calculate'" in error.value.hint


def test_counting_is_against_the_first_way() -> None:
    def outcome(way: str, kind: str, value: float | None) -> Outcome:
        return Outcome(Task("0", "", 5.0, kind), way, value, "model", 0.5)

    numbers = totals(
        [outcome("ask", "x", 4), outcome("ask", "y", 5), outcome("sum", "x", 5), outcome("sum", "y", None)]
    )
    assert numbers["ask"]["all"]["right"] == 1 and numbers["ask"]["all"]["gained"] == 0
    both = numbers["sum"]["all"]
    assert (both["right"], both["of"], both["gained"], both["lost"], both["abstained"]) == (1, 2, 1, 1, 1)
    assert (both["p"], numbers["sum"]["x"]["gained"], numbers["sum"]["y"]["lost"]) == (1.0, 1, 1)
    assert "all" not in totals([outcome("ask", "x", 4)])["ask"]


class Dying:
    capabilities = Capabilities("dying", 10)

    def stream(self, request: Request) -> Iterator[Event]:
        raise WorkerCrashed("it died")


def test_a_model_that_fails_is_a_wrong_answer_with_a_reason() -> None:
    tasks = [Task("0", "7 boxes with 6 pens each", 42.0)]
    outcomes = {outcome.way: outcome for outcome in evaluate(Dying(), tasks)}
    assert (outcomes["ask"].right, outcomes["ask"].how, outcomes["ask"].error) == (False, "abstained", "it died")
    assert (outcomes["verified"].how, outcomes["verified"].right) == ("rule", True)
    assert outcomes["rules"].describe()["value"] == 42


@pytest.mark.skipif(not DATA.is_dir(), reason="GSM8K is not beside the project")
def test_gsm8k_is_read_whole() -> None:
    assert len(wordtasks.load(DATA)) == 1_319
