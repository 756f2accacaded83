"""Cases that are read or refused by line, judged, and counted; one that fails does not end the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from linnet import Agent, Tool, tool
from linnet.agent.result import Result
from linnet.errors import InputInvalid, ToolFailed, WorkerCrashed
from linnet.evals.examples import Case, Expected, ExpectedCall, evaluate, fault_of, load, totals
from linnet.messages import ToolCall, ToolResult
from linnet.requests import Capabilities, Event, Request, Usage

EXAMPLES = Path(__file__).parents[2] / "examples" / "requests.jsonl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


# --- reading -------------------------------------------------------------------------------------


def test_the_examples_of_this_project() -> None:
    cases = load(EXAMPLES)
    assert len(cases) == len(EXAMPLES.read_text(encoding="utf-8").splitlines())
    units = next(case for case in cases if case.id == "units-1")
    assert units.expect.calls and units.expect.calls[0].arguments["amount"] == [26]
    assert next(case for case in cases if case.id == "none-1").expect.calls == ()
    assert next(case for case in cases if case.id == "calculator-1").expect.answer == ("408",)


def test_empty_lines_and_a_byte_order_mark(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf{"id": "1", "text": "hi", "expect": {"answer": ["a", "b"]}}\r\n\n')
    assert load(file) == (Case("1", "hi", Expected(answer=("a", "b"))),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"id": "2", "text": "hi"}', "expect"),
        ('{"id": "2", "text": "", "expect": {"calls": []}}', "text"),
        ('{"id": "2", "text": "hi", "expect": {}}', "either calls or answer"),
        ('{"id": "2", "text": "hi", "expect": {"calls": [], "answer": "x"}}', "either calls or answer"),
        ('{"id": "2", "text": "hi", "expect": {"answer": []}}', "expect.answer"),
        ('{"id": "2", "text": "hi", "expect": {"answer": 4}}', "expect.answer"),
        ('{"id": "2", "text": "hi", "expect": {"calls": [{"name": "f"}]}}', "expect.calls.0.arguments"),
        (
            '{"id": "2", "text": "hi", "expect": {"calls": [{"name": "f", "arguments": {"a": 1}}]}}',
            "arguments.a",
        ),
        ('{"id": "2", "text": "hi", "expect": {"calls": []}, "note": 1}', "note"),
        ('{"id": "1", "text": "hi", "expect": {"calls": []}}', "'1' was used before"),
        ("\udcff", "Invalid JSON"),
    ],
)
def test_a_wrong_line_is_named(file: Path, line: str, told: str) -> None:
    good = '{"id": "1", "text": "hi", "expect": {"calls": []}}'
    file.write_bytes(f"{good}\n\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(InputInvalid, match="line 3") as raised:
        load(file)
    assert told in raised.value.message
    assert raised.value.details["line"] == 3
    assert raised.value.exit_code == 2


def test_a_file_that_is_not_there_or_has_nothing(file: Path) -> None:
    with pytest.raises(InputInvalid, match="No such file"):
        load(file)
    with pytest.raises(InputInvalid, match="directory"):
        load(file.parent)
    file.write_text("\n\n")
    with pytest.raises(InputInvalid, match="has no requests"):
        load(file)


# --- judging -------------------------------------------------------------------------------------


@tool
def remind(text: str, repeat: Literal["never", "daily"] = "never", loud: bool = False) -> str:
    """Remind of something."""
    return text


@tool
def buy(item: str, store: str | None = None, count: float = 1) -> str:
    """Buy something."""
    return item


TOOLS: dict[str, Tool] = {"remind": remind, "buy": buy}


def outcome(*calls: tuple[str, dict[str, Any]], answer: str = "", error: Any = None) -> Result:
    return Result(answer, "model", tuple(ToolResult(ToolCall(n, a)) for n, a in calls), error=error)


def wanting(name: str, **arguments: Any) -> Expected:
    return Expected(calls=(ExpectedCall(name, arguments),))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"text": "call Ann"}, ""),
        ({"text": "Call Ann."}, ""),
        ({"text": "call Ann", "repeat": "never"}, ""),
        ({"text": "call Ann", "repeat": "daily"}, "repeat = 'daily', expected one of ['']"),
        ({"text": "call Ann", "loud": False}, "argument loud was not expected"),
        ({"text": "call Bob"}, "text = 'call Bob', expected one of ['call ann']"),
    ],
)
def test_a_default_counts_as_left_out_where_it_may_be(arguments: dict[str, Any], fault: str) -> None:
    expected = wanting("remind", text=["call ann"], repeat=[""])
    assert fault_of(outcome(("remind", arguments)), expected, TOOLS) == fault


def test_defaults_of_null_and_of_numbers() -> None:
    expected = wanting("buy", item=["tea"], store=[""], count=["", 1])
    assert fault_of(outcome(("buy", {"item": "tea", "store": None, "count": 1.0})), expected, TOOLS) == ""
    assert fault_of(outcome(("buy", {"item": "tea", "count": True})), expected, TOOLS) != ""
    assert fault_of(outcome(("buy", {"item": None})), wanting("buy", item=["", "tea"]), TOOLS) != ""


def test_a_tool_that_is_not_known_has_no_defaults() -> None:
    made = outcome(("sell", {"count": 1}))
    assert fault_of(made, wanting("sell", count=[1]), TOOLS) == ""
    assert fault_of(made, wanting("sell", count=[""]), TOOLS) != ""


def test_no_call_expected() -> None:
    nothing = Expected(calls=())
    assert fault_of(outcome(answer="Hello"), nothing, TOOLS) == ""
    assert fault_of(outcome(("buy", {"item": "tea"})), nothing, TOOLS) == "1 calls, 0 expected"


def test_answers_contain_one_of_the_parts() -> None:
    expected = Expected(answer=("Garden.md", "pigeons"))
    assert fault_of(outcome(answer="It is in GARDEN.MD."), expected, TOOLS) == ""
    assert fault_of(outcome(answer="nowhere"), expected, TOOLS) == (
        "answer 'nowhere', expected 'Garden.md' or 'pigeons'"
    )


def test_an_error_that_names_the_thing_is_no_answer() -> None:
    error = ToolFailed("cannot read garden.md").describe()
    failed = outcome(answer="read_file did not work: cannot read garden.md", error=error)
    assert fault_of(failed, Expected(answer=("garden.md",)), TOOLS) == "cannot read garden.md"


# --- running -------------------------------------------------------------------------------------


class Dead:
    """A Model whose engine is gone, one way or another."""

    capabilities = Capabilities("dead", 2_048)

    def __init__(self, error: Exception) -> None:
        self._error = error

    def stream(self, request: Request) -> Iterator[Event]:
        raise self._error


CASES = (
    Case("sum", "What is 17 times 24?", Expected(answer=("408",))),
    Case("poem", "Write me a poem", Expected(calls=())),
    Case("wrong", "What is 2 + 2?", Expected(answer=("5",))),
)


def test_one_case_that_raises_is_its_own_outcome() -> None:
    with Agent(model=Dead(WorkerCrashed("the engine was ended by SIGSEGV"))) as agent:
        right, raised, wrong = evaluate(agent, CASES)
    assert (right.right, right.how, right.fault) == (True, "rule", "")
    assert (raised.right, raised.how, raised.result) == (False, "error", None)
    assert raised.fault == "worker_crashed: the engine was ended by SIGSEGV"
    assert raised.describe()["error"]["code"] == "worker_crashed"
    assert wrong.fault.endswith("expected '5'")
    numbers = totals([right, raised, wrong])
    assert (numbers["right"], numbers["of"]) == (1, 3)
    assert numbers["by"] == {"error": {"right": 0, "of": 1}, "rule": {"right": 1, "of": 2}}
    assert numbers["interval"][0] < numbers["share"] < numbers["interval"][1]


def test_a_fault_of_our_own_is_told_as_such() -> None:
    with Agent(model=Dead(KeyError("boom"))) as agent:
        (raised,) = evaluate(agent, CASES[1:2])
    assert raised.fault == "linnet_error: unexpected KeyError: 'boom'"


def test_ctrl_c_ends_the_run() -> None:
    class Interrupted(Dead):
        def stream(self, request: Request) -> Iterator[Event]:
            raise KeyboardInterrupt

    with Agent(model=Interrupted(KeyError())) as agent, pytest.raises(KeyboardInterrupt):
        list(evaluate(agent, CASES))


def test_outcomes_come_one_by_one() -> None:
    with Agent(model=Dead(KeyError())) as agent:
        assert next(evaluate(agent, CASES)).case.id == "sum"


def test_the_json_form_is_flat() -> None:
    with Agent(model=Dead(KeyError())) as agent:
        (done,) = evaluate(agent, CASES[:1])
    line = json.loads(json.dumps(done.describe()))
    assert line["calls"] == [{"name": "calculator", "arguments": {"expression": "17 * 24"}}]
    assert (line["id"], line["right"], line["fault"], line["how"]) == ("sum", True, "", "rule")
    assert {
        "answer",
        "seconds",
        "prompt_tokens",
        "cached_tokens",
        "generated_tokens",
        "forced_tokens",
    } <= set(line)
    assert line["error"] is None


def test_totals_of_nothing() -> None:
    numbers = totals([])
    assert (numbers["of"], numbers["share"], numbers["interval"], numbers["by"]) == (0, 0.0, [0.0, 1.0], {})
    assert Usage(**numbers["usage"]) == Usage()
