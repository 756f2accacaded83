"""A run that is continued does nothing twice: in one process step by step, and in programs that are killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.agent import Agent
from linnet.agent.result import Result
from linnet.agent.runs import Runs
from linnet.errors import InputInvalid, RunUnderWay, StoreUnavailable, WorkerCrashed
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolResult
from linnet.requests import Capabilities
from linnet.tools import Permission, Rule, Tool, tool

CALL = ToolCall("note", {"what": "a"}, "call-1", "rule")


@pytest.fixture
def runs(tmp_path: Path) -> Any:
    opened = Runs(tmp_path / "runs.db")
    yield opened
    opened.close()


def test_a_call_is_made_once_and_its_outcome_is_known_for_ever(runs: Runs) -> None:
    run = runs.run("r1", "note a")
    assert run.known(CALL) is None
    run.enter(CALL)
    run.leave(done := ToolResult(CALL, {"noted": ["é", 1, None]}, seconds=0.5))
    again = runs.run("r1", "note a")
    assert again.result is None and again.known(CALL) == done


def test_a_call_without_an_outcome_is_told_and_not_made(runs: Runs) -> None:
    runs.run("r1", "note a").enter(CALL)
    for _ in range(2):
        told = runs.run("r1", "note a").known(CALL)
        assert told is not None and told.error is not None and told.call == CALL
        assert told.error["code"] == "tool_interrupted" and "unknown whether note ran" in told.error["message"]


def test_the_earlier_decision_stands(runs: Runs) -> None:
    runs.run("r1", "note a").enter(CALL)
    told = runs.run("r1", "note a").known(ToolCall("other", {}, "call-1"))
    assert told is not None and told.call == CALL


def test_a_call_is_known_wherever_it_was_begun_and_once(runs: Runs) -> None:
    other = ToolCall("note", {"what": "b"}, "call-2", "rule")
    first = runs.run("r1", "note a")
    for call in (CALL, other):
        first.enter(call)
        first.leave(ToolResult(call, call.arguments["what"]))
    again = runs.run("r1", "note a")
    told = [again.known(replace(call, id=id)) for call, id in ((other, "call-1"), (CALL, "call-2"))]
    assert [one and one.value for one in told] == ["b", "a"]
    third = ToolCall("note", {"what": True}, "call-2")
    assert again.known(third) is None and again.known(replace(CALL, id="call-3")) is None
    again.enter(third)
    again.leave(ToolResult(third, "new"))
    assert [one.value for one in map(runs.run("r1", "note a").known, (CALL, other, third)) if one] == [
        "a",
        "b",
        "new",
    ]


def test_the_end_of_a_run_is_its_answer(runs: Runs) -> None:
    result = Result("noted", "rule", (ToolResult(CALL, 3),), error={"code": "tool_failed"})
    runs.run("r1", "note a").end(result)
    runs.run("r1", "note a").end(Result("another", "rule"))
    found = runs.run("r1", "note a").result
    assert found is not None and found.answer == "noted" and found.calls == result.calls
    assert found.degraded == ("the run r1 had ended before: this is its answer",)


def test_runs_know_nothing_of_each_other(runs: Runs) -> None:
    runs.run("r1", "note a").enter(CALL)
    assert runs.run("r2", "note a").known(CALL) is None


@pytest.mark.parametrize("id", ["", "a b", "../x", "é", "a\n", "x" * (LIMITS.run_id_chars + 1)])
def test_what_is_no_id_is_refused(runs: Runs, id: str) -> None:
    with pytest.raises(InputInvalid, match="no id"):
        runs.run(id, "x")
    runs.run("x" * LIMITS.run_id_chars, "x")


def test_another_request_under_the_same_id_is_refused(runs: Runs) -> None:
    runs.run("r1", "note a")
    with pytest.raises(InputInvalid, match="another request"):
        runs.run("r1", "note b")


def test_the_same_request_after_another_history_is_refused(runs: Runs) -> None:
    said = [Message("user", "Anna"), Message("assistant", "Noted.")]
    runs.run("r1", "note it", said)
    runs.run("r1", "note it", tuple(said))
    for history in ((), said[:1], [Message("user", "Bert"), said[1]]):
        with pytest.raises(InputInvalid, match="another request"):
            runs.run("r1", "note it", history)


def test_one_turn_at_a_time_is_at_work_on_a_run(runs: Runs, tmp_path: Path) -> None:
    first, second, other = runs.run("r1", "note a"), runs.run("r1", "note a"), runs.run("r2", "note a")
    with first.alone(), other.alone():
        with pytest.raises(RunUnderWay, match="'r1' is under way"), second.alone():
            pass
        first.end(Result("noted", "rule"))
    assert second.result is None
    with second.alone():
        assert second.result is not None and second.result.answer == "noted", "it is looked for under the lock"
    assert not list(tmp_path.glob("*.lock"))


def test_the_oldest_are_gone(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.agent.runs.LIMITS", type(LIMITS)(runs_kept=2))
    for id in ("r1", "r2", "r3"):
        runs.run(id, "note a").enter(CALL)
    assert runs.run("r3", "note a").known(CALL) is not None
    assert runs.run("r1", "note a").known(CALL) is None, "which pushes r2 out"


# --- an agent ------------------------------------------------------------------------------------


class Nobody:
    capabilities = Capabilities("nobody", 100)

    def stream(self, request: Any) -> Any:
        raise AssertionError("a rule needs no model")


def noting(done: list[str]) -> Tool:
    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes something down."""
        done.append(what)
        return f"{what} noted"

    return note


def test_a_run_goes_on_after_the_last_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program ends, as far as can be played in one process, between the second call's outcome and the third."""
    done: list[str] = []
    with Agent([noting(done)], Nobody(), runs=tmp_path / "r.db") as agent:
        with monkeypatch.context() as patch:
            patch.setattr("linnet.agent.journal.Run.enter", _ends_at("call-3"))
            with pytest.raises(KeyboardInterrupt):
                agent.run("note a, then note b, then note c", run_id="r1")
        assert done == ["a", "b"]
        result = agent.run("note a, then note b, then note c", run_id="r1")
        assert done == ["a", "b", "c"] and result.answer == "a noted\nb noted\nc noted"
        assert result.degraded == ("note was begun before the program ended, and was not run again",) * 2
        again = agent.run("note a, then note b, then note c", run_id="r1")
        assert again.answer == result.answer and done == ["a", "b", "c"]


def test_a_run_that_decides_in_another_order_does_nothing_twice(tmp_path: Path) -> None:
    done: list[str] = []
    decided = ["a", "b"]
    tool_ = replace(noting(done), rules=(Rule(extract=lambda text: {"what": decided.pop(0)}),))
    with Agent([tool_], Nobody(), runs=tmp_path / "r.db") as agent:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("linnet.agent.journal.Run.enter", _ends_at("call-2"))
            with pytest.raises(KeyboardInterrupt):
                agent.run("one, then two", run_id="r1")
        decided[:] = ["b", "a"]
        result = agent.run("one, then two", run_id="r1")
        assert done == ["a"] and result.answer == "a noted\nnote was done already."


def test_a_run_is_not_gone_on_with_while_it_is_under_way(tmp_path: Path) -> None:
    again: list[str] = []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes something down, and is asked for once more meanwhile."""
        with Agent([note], Nobody(), runs=tmp_path / "r.db") as other, pytest.raises(RunUnderWay) as caught:
            other.run("note a", run_id="r1")
        again.append(caught.value.code)
        return "noted"

    with Agent([note], Nobody(), runs=tmp_path / "r.db") as agent:
        assert agent.run("note a", run_id="r1").error is None and again == ["run_under_way"]
        assert agent.run("note a", run_id="r1").error is None and again == ["run_under_way"]


def test_a_call_is_begun_once_it_may_be_made(tmp_path: Path) -> None:
    """The program ends while it is asked whether a call may be made: then it is known that it was not."""
    done: list[str] = []

    def ended(tool: Tool, call: ToolCall) -> bool:
        raise KeyboardInterrupt

    tool_ = replace(noting(done), permissions=frozenset({Permission.NETWORK}))
    with Agent([tool_], Nobody(), runs=tmp_path / "r.db", approve=ended) as agent, pytest.raises(KeyboardInterrupt):
        agent.run("note a", run_id="r1")
    with Agent([tool_], Nobody(), runs=tmp_path / "r.db", approve=lambda tool, call: True) as agent:
        assert agent.run("note a", run_id="r1").answer == "a noted" and done == ["a"]


def _ends_at(id: str) -> Any:
    from linnet.agent.journal import Run

    enter = Run.enter

    def ends(self: Any, call: ToolCall) -> Any:
        if call.id == id:
            raise KeyboardInterrupt
        return enter(self, call)

    return ends


def test_a_run_that_failed_for_want_of_a_model_goes_on_under_its_id(tmp_path: Path) -> None:
    done: list[str] = []

    class Failing(Nobody):
        def stream(self, request: Any) -> Any:
            raise WorkerCrashed("no worker")

    request = "note a, then write me a poem"
    with Agent([noting(done)], Failing(), runs=tmp_path / "r.db") as agent:
        first = agent.run(request, run_id="r1")
        assert first.error is not None and first.error["code"] == "worker_crashed" and done == ["a"]
        again = agent.run(request, run_id="r1")
        assert done == ["a"] and again.error is not None and "had ended before" not in " ".join(again.degraded)


def test_a_journal_that_cannot_be_written_lets_no_tool_run(tmp_path: Path) -> None:
    done: list[str] = []
    (tmp_path / "r.db").mkdir()
    with Agent([noting(done)], Nobody(), runs=tmp_path / "r.db") as agent:
        with pytest.raises(StoreUnavailable):
            agent.run("note a", run_id="r1")
        assert done == [] and agent.run("note a").answer == "a noted", "without an id nothing is asked of it"


PROGRAM = """
import json, os, sys, time
from linnet.tools import Rule, tool
from linnet.agent.agent import Agent
from linnet.requests import Capabilities

class Nobody:
    capabilities = Capabilities("nobody", 100)
    stream = None

@tool(rules=[Rule(prefix="note", to="what")])
def note(what: str) -> str:
    "Notes something down."
    fd = os.open(sys.argv[1] + "/file", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, (what + "\\n").encode())
    os.close(fd)
    time.sleep(0.02)
    return "noted " + what

with Agent([note], Nobody(), runs=sys.argv[1] + "/runs.db") as agent:
    print("begun", flush=True)
    result = agent.run("note a, then note b, then note c, then note d", run_id="r")
print(json.dumps(result.describe()), flush=True)
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_program_that_is_killed_again_and_again_does_nothing_twice(tmp_path: Path, seed: int) -> None:
    """tests/torture/ does this many more times."""
    draw = random.Random(seed)
    for attempt in range(3):
        program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        if attempt < 2:
            time.sleep(draw.uniform(0.0, 0.15))
            program.send_signal(signal.SIGKILL)
        said, _ = program.communicate(timeout=60)
        if said:
            break
    result = json.loads(said)
    lines = (tmp_path / "file").read_text().split() if (tmp_path / "file").exists() else []
    assert lines == sorted(set(lines)), "a tool ran twice, or out of order"
    known = [call["arguments"]["what"] for call in result["calls"] if call["error"] is None]
    assert [line for line in lines if line not in known] in ([], lines[-1:]), "at most one is unknown"
    assert set(known) <= set(lines), "an outcome was made up"
    if result["error"]:
        assert result["error"]["code"] == "tool_interrupted"
    else:
        assert lines == ["a", "b", "c", "d"]
