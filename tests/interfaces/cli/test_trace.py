"""`linnet run --trace`: a tree in a pipe and on paper without lines, bars to scale, and the same as data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from linnet.agent.question import Question
from linnet.agent.trace import trace
from linnet.interfaces.cli import output
from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.trace import _ASCII, _LINES, bar, draw, rows, span, tokens
from linnet.messages import Step
from linnet.requests import Usage

STEPS = (
    Step("route", "no rule matches", 0.001),
    Step("choose", "get_weather fits best", 0.5, {"by": "model"}, 0.001, Usage(60, 10)),
    Step("answer", "in the model's own words\x1b[2J " + "and many more " * 30, 0.4, {}, 0.6, Usage(20, 5, 8, 3)),
)
ASKED = (
    Question("score", 0.01, 0.4, None, Usage(30, 5)),
    Question("score", 0.02, 0.4, None, Usage(30, 5)),
    Question("chat", 0.61, 0.3, 0.1, Usage(20, 5, 8, 3), "stop"),
)
WHOLE = trace(STEPS, ASKED, 1.0, Usage(80, 15, 8, 3), 0.25)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["run", *arguments])


def test_a_rule_in_a_pipe() -> None:
    told = invoke("What is 17 times 24?", "--trace").stdout.splitlines()
    assert told[0] == "17 * 24 = 408"
    assert [line.split()[:2] for line in told if line.startswith(("├", "└"))] == [["├─", "route"], ["└─", "tool"]]
    assert told[1].startswith("request") and "no tokens" in told[2]
    assert "a rule of calculator matches" in invoke("What is 17 times 24?", "--trace").stdout
    assert max(map(len, told)) <= 80 and "\x1b" not in "".join(told)


def test_json_has_the_same_as_data() -> None:
    plain, told = (json.loads(invoke("What is 17 times 24?", "--json", *more).stdout) for more in ((), ("--trace",)))
    assert "trace" not in plain and set(told) == {*plain, "trace"}
    found = told["trace"]
    assert [step["kind"] for step in found["steps"]] == ["route", "tool"]
    assert found["load"] is None and found["questions"] == []
    starts = [step["start"] for step in found["steps"]]
    assert starts == sorted(starts) and found["steps"][1]["seconds"] <= found["seconds"]


def test_what_was_asked_together_is_one_row() -> None:
    root = rows(WHOLE)
    assert [row.kind for row in root.rows] == ["route", "choose", "answer"]
    (scores,) = root.rows[1].rows
    assert (scores.kind, scores.start, round(scores.seconds, 6)) == ("2 score", 0.01, 0.41)
    assert scores.told[0].startswith("60 prompt tokens (10 cached)")
    assert root.rows[1].told[:2] == ("get_weather fits best", "by model")
    assert root.rows[2].rows[0].told[-1] == "first token after 100 ms"
    assert "loading the model took 250 ms of it" in root.told


def test_questions_one_after_the_other_are_rows_of_their_own() -> None:
    asked = (Question("chat", 0.0, 0.1), Question("chat", 0.2, 0.1, error="worker_crashed"))
    first, second = rows(trace((), asked, 1.0, Usage())).rows
    assert (first.kind, second.kind) == ("chat", "chat") and "failed: worker_crashed" in second.told


@pytest.mark.parametrize("marks", [_LINES, _ASCII])
def test_no_line_is_wider_than_the_paper_and_none_drives_the_terminal(
    marks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "drawable", lambda text: marks is _LINES)
    lines = [line.plain for line in draw(WHOLE)]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines) and "\\x1b[2J" in "".join(lines)
    assert "".join(lines).isascii() == (marks is _ASCII)
    assert any(line.endswith("...") for line in lines), "a long reason is cut, and says so"


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0.001, 100), st.integers(1, 90))
def test_a_bar_stays_on_the_paper(start: float, seconds: float, whole: float, room: int) -> None:
    for marks in (_LINES, _ASCII):
        drawn = bar(start, seconds, whole, room, marks)
        assert len(drawn) <= room
        assert bool(drawn.strip()) == (seconds > 0), "what took any time has a mark"


def test_bars_are_to_scale() -> None:
    assert bar(0.0, 1.0, 1.0, 10, _LINES) == "█" * 10
    assert bar(0.5, 0.25, 1.0, 8, _LINES) == "    ██"
    assert bar(0.0, 0.5, 1.0, 5, _LINES) == "██▌"
    assert bar(0.0, 0.5, 1.0, 4, _ASCII) == "##"


def test_words() -> None:
    assert [span(s) for s in (0.00012, 0.0123, 0.25, 1.5)] == ["0.1 ms", "12.3 ms", "250 ms", "1.50 s"]
    assert tokens(Usage()) == "no tokens"
