"""Gaps in code: what is right, what runs, and what a hostile filling can do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid, SettingsInvalid, WorkerCrashed
from linnet.evals.infill import FILES, WAYS, Case, Filled, Outcome, chosen, evaluate, fault, infill, read, totals
from linnet.requests import Capabilities, Done, Event, Infill, Request

DATA = Path(__file__).parents[3] / "shared" / "data" / "humaneval_infilling"
CASE = Case(
    "t/1",
    "line",
    "def twice(x):\n",
    "    return y\n",
    "    y = 2 * x\n",
    "def check(f):\n    assert f(2) == 4\n",
    "twice",
)


class Says:
    """A Model that says one thing, and remembers what it was asked."""

    def __init__(self, text: str, tokens: Infill | None = None) -> None:
        self.text, self.asked = text, []  # type: tuple[str, list[Any]]
        self.capabilities = Capabilities("says", 4096, infill=tokens)

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        return iter((Done(self.text),))


def test_what_works_passes_and_what_stood_there_is_exact() -> None:
    (same, other) = evaluate(
        Says("    y = 2 * x\n    more"), [CASE], {"a": infill, "b": lambda m, c: Filled("    y = x + x\n", "b")}
    )
    assert (same.exact, same.passes, same.filled.how) == (True, True, "fallback:continuation")
    assert same.filled.text == "    y = 2 * x\n", "a line is one line"
    assert (other.exact, other.passes) == (False, True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("    y = x\n", "AssertionError"),
        ("    y = (\n", "SyntaxError"),
        ("", "NameError"),
        ("    y = open('/etc/passwd').read()\n", "Error"),
        ("    import os; y = os.fork()\n", "Error"),
    ],
)
def test_what_does_not_work_says_why(text: str, error: str) -> None:
    assert error in fault(CASE, text)


def test_a_model_with_tokens_for_gaps_is_asked_with_them() -> None:
    model = Says("    y = 2 * x", Infill("<P>", "<S>", "<M>"))
    assert infill(model, CASE).how == "model"
    assert [part.text for part in model.asked[0].prompt] == ["<P>", CASE.prefix, "<S>", CASE.suffix, "<M>"]
    assert [part.trusted for part in model.asked[0].prompt] == [True, False, True, False, True]


def test_a_case_that_fails_is_an_outcome() -> None:
    def crash(model: Any, case: Case) -> Filled:
        raise WorkerCrashed("gone")

    (one,) = evaluate(Says(""), [CASE], {"a": crash})
    assert (one.filled.how, one.error, one.passes) == ("failed: worker_crashed", "gone", False)


def test_totals_have_intervals_and_are_held_against_the_first_way() -> None:
    right, wrong = Filled(CASE.gap, "model"), Filled("", "nothing")
    done = [Outcome(CASE, way, one, 0.5, error) for way, one, error in (("a", right, ""), ("b", wrong, "no"))] * 8
    first, second = totals(done)
    assert (first["way"], first["of"], first["passes"]["share"], first["p"]) == ("a", 8, 1.0, 1.0)
    assert second["exact"]["share"] == 0 and second["passes"]["interval"][1] < 0.4 and second["p"] < 0.01
    assert totals([]) == []


def test_cases_are_read_and_spread(tmp_path: Path) -> None:
    rows = [
        {
            "task_id": f"t/{n}",
            "prompt": "a",
            "suffix": "b",
            "canonical_solution": "c",
            "test": "d",
            "entry_point": "e",
        }
        for n in range(10)
    ]
    with gzip.open(tmp_path / FILES["span"], "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    assert [case.id for case in read(tmp_path, 2)] == ["t/0", "t/5"] and len(read(tmp_path)) == 10
    with pytest.raises(InputInvalid):
        read(tmp_path / "none")
    (tmp_path / FILES["line"]).write_bytes(b"no gzip")
    with pytest.raises(InputInvalid):
        read(tmp_path)


def test_ways_have_names() -> None:
    assert list(chosen(["nothing"])) == ["nothing"] and chosen([]) == WAYS
    with pytest.raises(SettingsInvalid):
        chosen(["some"])


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_what_stood_in_the_gap_passes_in_the_real_cases() -> None:
    for case in read(DATA, 4):
        assert fault(case, case.gap) == "", case.id
