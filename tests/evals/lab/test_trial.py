"""Runs of the lab with the real model: every notation, the order, and what a journal spares the model."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.errors import InputInvalid
from linnet.evals.lab.answer import ask
from linnet.evals.lab.case_file import load, planned
from linnet.evals.lab.findings import findings
from linnet.evals.lab.journal import Journal
from linnet.evals.lab.marked import read
from linnet.evals.lab.plan import Knobs, Plan
from linnet.evals.lab.trial import trials
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Done, Event, Model, Request, Usage
from linnet.runtime.local import LocalModel, open_local

EXAMPLES = Path(__file__).parents[3] / "examples"

PLAN = b"""\
prompts: {a: "{text}", b: "{text}!"}
cases:
  - {id: one, text: eins, check: {contains: eins}}
  - {id: two, text: zwei, check: {contains: zwei}}
"""


class Echo:
    """Answers what it is asked, and counts."""

    capabilities = Capabilities("echo", 4096)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def stream(self, request: Request) -> Iterator[Event]:
        (message,) = request.prompt  # type: ignore[union-attr]
        self.asked.append(message.content)
        return iter([Done(message.content, usage=Usage(3, 0, 2))])


class Run:
    """What one run with an Echo has asked, and what came of it."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        echo, self.opened = Echo(), list[str]()

        def opener(name: str) -> contextlib.AbstractContextManager[Model]:
            self.opened.append(name)
            return contextlib.nullcontext(echo)

        self.outcomes = list(trials(plan, journal, opener))
        self.asked = echo.asked


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    with contextlib.closing(open_local("default", context=1024)) as opened:
        yield opened


def plan_of(body: bytes = PLAN) -> Plan:
    return planned(read(body), "made up")


def test_variants_take_turns_case_by_case() -> None:
    run = Run(plan_of(), Journal())
    assert run.asked == ["eins", "eins!", "zwei!", "zwei"] and run.opened == ["default"]
    assert all(outcome.right and not outcome.kept for outcome in run.outcomes)


def test_nothing_is_asked_twice_and_what_has_changed_is(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Journal(path) as journal:
        Run(plan_of(), journal)
    with Journal(path, resume=True) as journal:
        again = Run(plan_of(), journal)
    assert again.asked == [] and again.opened == [] and all(outcome.kept for outcome in again.outcomes)
    with Journal(path, resume=True) as journal:
        other = Run(plan_of(PLAN.replace(b"{text}!", b"{text}?").replace(b"contains: eins", b"exact: none")), journal)
    assert other.asked == ["eins?", "zwei?"], "checks are worked out anew, and cost nothing"
    assert [outcome.right for outcome in other.outcomes].count(False) == 2
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 6 and {row["case"] for row in rows} == {"one", "two"}


def test_a_model_that_is_loaded_otherwise_is_asked_anew(tmp_path: Path) -> None:
    with Journal(tmp_path / "answers.jsonl") as journal:
        first = list(trials(plan_of(), journal, lambda name: contextlib.nullcontext(Echo()), "context 512"))
        again = list(trials(plan_of(), journal, lambda name: contextlib.nullcontext(Echo()), "context 512"))
        other = list(trials(plan_of(), journal, lambda name: contextlib.nullcontext(Echo()), "context 128"))
    assert [[outcome.kept for outcome in one] for one in (first, again, other)] == [
        [False] * 4,
        [True] * 4,
        [False] * 4,
    ]


def test_the_model_of_the_settings_is_asked_where_the_file_names_none() -> None:
    assert planned(read(PLAN), "made up", (), "smollm2-135m").models == ("smollm2-135m",)
    assert planned(read(b"models: [default]\n" + PLAN), "made up", (), "smollm2-135m").models == ("default",)


def test_an_end_in_mid_line_costs_that_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Journal(path) as journal:
        Run(plan_of(), journal)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with Journal(path, resume=True) as journal:
        assert Run(plan_of(), journal).asked == ["zwei"]
    assert path.read_bytes().count(b"\n") == 4 and path.read_bytes()[: len(whole) - 300] == whole[: len(whole) - 300]


def test_an_error_is_asked_again(tmp_path: Path) -> None:
    plan, path = plan_of(), tmp_path / "answers.jsonl"
    first = replace(plan, variants=plan.variants[:1])

    class Falls(Echo):
        def stream(self, request: Request) -> Iterator[Event]:
            raise RuntimeError("it fell over")

    with Journal(path) as journal:
        fallen = list(trials(first, journal, lambda name: contextlib.nullcontext(Falls())))
    assert [outcome.fault for outcome in fallen] == ["linnet_error: unexpected RuntimeError: it fell over"] * 2
    with Journal(path, resume=True) as journal:
        assert len(Run(first, journal).asked) == 2


def test_files_that_are_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"other": 1}\n')
    with pytest.raises(InputInvalid, match="is not empty"):
        Journal(path)
    with pytest.raises(InputInvalid, match="something else than `linnet prompt run` writes, at byte 0"):
        Journal(path, resume=True)
    with pytest.raises(InputInvalid, match="is no file"):
        Journal(tmp_path)
    with pytest.raises(InputInvalid, match="cannot be written"):
        Journal(tmp_path / "absent" / "answers.jsonl")
    assert path.read_text() == '{"other": 1}\n'


def test_one_process_has_a_journal_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputInvalid, match="another `linnet prompt run` writes"):
            Journal(path)


def test_the_limit_of_a_journal_and_one_more(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.touch()
    os.truncate(path, LIMITS.lab_journal_bytes + 1)
    with pytest.raises(InputInvalid, match="over 268,435,456 bytes"):
        Journal(path, resume=True)


def test_text_and_constraints(model: LocalModel) -> None:
    plan = load(EXAMPLES / "prompt_lab.yaml")
    plan = replace(plan, cases=plan.cases[:1])
    done = list(trials(plan, Journal(), lambda name: contextlib.nullcontext(model)))
    texts = {outcome.variant.name: outcome.answer.text for outcome in done}
    assert texts["question · one of two"] in (" positive", " negative")
    assert texts["labelled · one of two"] in (" positive", " negative")
    assert "cut at 16 tokens" in done[0].answer.notes, "nothing is cut in silence"
    assert len(findings(plan, done).rows) == 4


@pytest.mark.parametrize("notation", ["guided", "pythonic"])
def test_calls(model: LocalModel, notation: str) -> None:
    plan = load(EXAMPLES / "prompt_calls.yaml")
    variant = next(variant for variant in plan.variants if variant.name == notation)
    answer = ask(model, replace(variant, knobs=Knobs(max_tokens=8)), plan.cases[0], plan.tools)
    assert answer.error is None
    if notation == "pythonic":
        assert 0 < answer.usage.generated_tokens <= 8
    else:
        assert answer.calls == ({"name": "get_weather", "arguments": {"city": "Paris"}},)


def test_calls_are_read_in_the_notation_that_was_told() -> None:
    plan = load(EXAMPLES / "prompt_calls.yaml")
    seen: list[str] = []

    class Fluent(Echo):
        def stream(self, request: Request) -> Iterator[Event]:
            seen.append(request.prompt[0].content)  # type: ignore[union-attr]
            return iter([Done("<tool>get_weather</tool><city>Paris</city>", usage=Usage(9, 0, 9))])

    xml = next(variant for variant in plan.variants if variant.name == "xml")
    answer = ask(Fluent(), xml, plan.cases[0], plan.tools)
    assert answer.calls == ({"name": "get_weather", "arguments": {"city": "Paris"}},)
    assert "<tool>function</tool>" in seen[0] and "set_timer(minutes)" in seen[0]


def test_a_prompt_that_says_itself_how_calls_are_written() -> None:
    body = b"""\
tools: [{name: f, description: It does.}]
prompts: {own: {system: "Write {call} for one of: {tools}", user: "{text}"}}
notations: [hermes]
cases: [{text: do it, check: {call: {name: f}}}]
"""
    plan = plan_of(body)
    seen: list[str] = []

    class Fluent(Echo):
        def stream(self, request: Request) -> Iterator[Event]:
            seen.extend(part.content for part in request.prompt)  # type: ignore[union-attr]
            return iter([Done('<tool_call>{"name": "f", "arguments": {}}</tool_call>', usage=Usage(9, 0, 9))])

    answer = ask(Fluent(), plan.variants[0], plan.cases[0], plan.tools)
    assert answer.calls == ({"name": "f", "arguments": {}},)
    assert (
        seen[0].startswith("Write <tool_call>") and seen[0].endswith("one of: f(): It does.") and seen[1] == "do it"
    )


def test_values_are_no_templates() -> None:
    plan = plan_of(b"cases: [{text: '{tools} {x.y}', check: {exact: a}}]")
    run = Run(plan, Journal())
    assert run.asked == ["{tools} {x.y}"]
