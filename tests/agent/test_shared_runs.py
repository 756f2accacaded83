"""The journal in a PostgreSQL: what holds of the file holds among machines, and where the server is gone for a while.

Two machines are two SharedRuns: they have nothing in common but the server's address.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.agent import shared_runs
from linnet.agent.agent import Agent
from linnet.agent.result import Result
from linnet.agent.shared_runs import SharedRuns
from linnet.errors import InputInvalid, RunUnderWay, SettingsInvalid, StoreUnavailable
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolResult
from linnet.requests import Capabilities
from linnet.tools import Rule, tool

CALL = ToolCall("note", {"what": "a"}, "call-1", "rule")


@functools.cache
def _postgres() -> Any:
    spec = importlib.util.spec_from_file_location("postgres", Path(__file__).parents[1] / "postgres.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    postgres = _postgres()
    try:
        with postgres.cluster() as found:
            yield found
    except postgres.Missing as missing:
        pytest.skip(f"PostgreSQL: {missing}")


@pytest.fixture
def machine(address: str) -> Iterator[Callable[[], SharedRuns]]:
    made: list[SharedRuns] = []

    def make() -> SharedRuns:
        made.append(SharedRuns(address))
        return made[-1]

    yield make
    for runs in made:
        runs.close()


@pytest.fixture
def shorter(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set(**values: float) -> None:
        monkeypatch.setattr(shared_runs, "LIMITS", type(LIMITS)(**values))

    return set


def test_what_one_machine_notes_another_knows(machine) -> None:
    run = machine().run("known", "note a")
    with run.alone():
        assert run.known(CALL) is None
        run.enter(CALL)
        run.leave(done := ToolResult(CALL, {"noted": ["é", 1, None]}, seconds=0.5))
        run.end(Result("a noted", "rule"))
    again = machine().run("known", "note a")
    assert again.known(CALL) == done
    assert (
        again.result is not None
        and again.result.answer == "a noted"
        and "had ended before" in again.result.degraded[-1]
    )
    with pytest.raises(InputInvalid, match="another request"):
        machine().run("known", "note b")
    with pytest.raises(InputInvalid, match="another request"):
        machine().run("known", "note a", [Message("user", "before")])


def test_a_call_without_an_outcome_is_told_and_not_made(machine) -> None:
    run = machine().run("interrupted", "note a")
    with run.alone():
        run.enter(CALL)
    told = machine().run("interrupted", "note a").known(CALL)
    assert told is not None and told.error is not None and told.error["code"] == "tool_interrupted"


def test_one_machine_at_a_time_is_at_work_on_a_run(machine) -> None:
    first, second, other = (machine().run(id, "note a") for id in ("one", "one", "two"))
    with first.alone(), other.alone():
        with pytest.raises(RunUnderWay, match="'one' is under way"), second.alone():
            pass
        first.end(Result("noted", "rule"))
    with second.alone():
        assert second.result is not None and second.result.answer == "noted"


def test_who_is_silent_for_journal_lease_seconds_is_taken_over_and_makes_no_call(machine, shorter) -> None:
    silent, next_one = machine().run("lease", "note a"), machine().run("lease", "note a")
    silent._keep = lambda over: None  # its machine sleeps
    with silent.alone():
        silent.enter(CALL)
        with pytest.raises(RunUnderWay), next_one.alone():
            pass
        shorter(journal_lease_seconds=1.0)
        time.sleep(1.5)
        with next_one.alone():
            told = next_one.known(CALL)
            assert told is not None and told.error is not None, "it may have run: it is not run again"
            with pytest.raises(RunUnderWay, match="taken over"):
                silent.enter(ToolCall("note", {"what": "b"}, "call-2", "rule"))
            silent.leave(ToolResult(CALL, "a noted"))  # what came of it is worth knowing
        assert silent.degraded == ()
    assert machine().run("lease", "note a").known(CALL) == ToolResult(CALL, "a noted")


def test_a_lease_is_renewed_while_the_turn_lasts(machine, shorter) -> None:
    shorter(journal_lease_seconds=5.0)
    first, second = machine().run("renewed", "note a"), machine().run("renewed", "note a")
    with first.alone():
        time.sleep(6)
        with pytest.raises(RunUnderWay), second.alone():
            pass


def test_of_many_machines_one_makes_the_call(machine) -> None:
    entered: list[int] = []

    def turn(number: int) -> None:
        run = machine().run("race", "note a")
        try:
            with run.alone():
                if run.result is None and run.known(CALL) is None:
                    run.enter(CALL)
                    entered.append(number)
                    run.leave(ToolResult(CALL, "a noted"))
        except RunUnderWay:
            pass

    threads = [threading.Thread(target=turn, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1


def test_earlier_decisions_keep_their_place(machine) -> None:
    run = machine().run("places", "note a")
    with run.alone():
        run.enter(CALL)
        run.enter(ToolCall("note", {"what": "b"}, "call-1", "rule"))
        run.leave(ToolResult(ToolCall("note", {"what": "b"}, "call-1", "rule"), "b noted"))
    assert [row[0] for row in machine().run("places", "note a")._calls()] == ["call-1", "call-1'"]


def test_the_oldest_beyond_runs_kept_are_gone(machine, shorter) -> None:
    shorter(runs_kept=2)
    runs = machine()
    numbers = [runs.run(f"old-{i}", "x")._number for i in range(3)]
    assert runs.run("old-2", "x")._number == numbers[2]
    assert runs.run("old-0", "x")._number > numbers[2], "it was begun anew"


def test_asking_again_forgets_nobody(machine, shorter) -> None:
    shorter(runs_kept=2)
    runs = machine()
    kept = runs.run("kept", "x")._number
    for _ in range(5):
        runs.run("asked", "x")
    assert runs.run("kept", "x")._number == kept


def test_a_run_that_is_under_way_is_kept_beyond_runs_kept(machine, shorter) -> None:
    shorter(runs_kept=2)
    runs = machine()
    run = runs.run("long", "x")
    with run.alone():
        for i in range(4):
            runs.run(f"new-{i}", "x")
        run.enter(CALL)
        run.end(Result("done", "rule"))
        assert run.degraded == ()


def test_an_answer_of_a_turn_that_was_overtaken_is_told_not_to_be_kept(machine, shorter) -> None:
    shorter(journal_lease_seconds=1.0)
    silent, next_one = machine().run("overtaken", "x"), machine().run("overtaken", "x")
    silent._keep = lambda over: None  # its machine sleeps
    with silent.alone():
        time.sleep(1.5)
        with next_one.alone():
            silent.end(Result("late", "rule"))
            assert silent.degraded == ("another turn has taken the run over: this answer is not kept",)
            next_one.end(Result("kept", "rule"))
    assert machine().run("overtaken", "x")._number and next_one.degraded == ()


@pytest.fixture
def gone(address: str) -> Callable[[float], None]:
    """The server and all its sessions are stopped for so many seconds, and go on."""

    def stop(seconds: float) -> None:
        all_of_it = _postgres().processes(address)
        for pid in all_of_it:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            for pid in all_of_it:
                os.kill(pid, signal.SIGCONT)

    return stop


def test_a_server_that_is_gone_for_a_while_is_waited_for(machine, gone) -> None:
    run = machine().run("gone", "note a")
    with run.alone():
        run.enter(CALL)
        stopped = threading.Thread(target=gone, args=(3.0,))
        began = time.monotonic()
        stopped.start()
        time.sleep(0.5)
        run.leave(ToolResult(CALL, "a noted"))
        later = ToolCall("note", {"what": "b"}, "call-2", "rule")
        run.enter(later)
        stopped.join()
        assert time.monotonic() - began > 3.0 and run.degraded == ()
    calls = machine().run("gone", "note a")._calls()
    assert [(key, outcome is not None) for key, _, outcome in calls] == [("call-1", True), ("call-2", False)]


def test_one_that_does_not_come_back_within_journal_seconds_is_told(machine, shorter) -> None:
    runs = machine()
    shorter(journal_seconds=1.0)
    runs._server._engine.dispose()
    runs._server._engine = shared_runs._engine("postgresql://boss@127.0.0.1:1/postgres")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        runs.run("never", "note a")
    assert 0.3 < time.monotonic() - began < 30


@pytest.mark.parametrize("url", ["sqlite:///x.db", "what is this"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        SharedRuns(url)


class Nobody:
    capabilities = Capabilities("nobody", 100)

    def stream(self, request: Any) -> Any:
        raise AssertionError("a rule needs no model")


def test_an_agent_goes_on_with_the_run_of_another_machine(machine) -> None:
    done: list[str] = []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes something down."""
        done.append(what)
        return f"{what} noted"

    for _ in range(2):
        with Agent([note], Nobody(), runs=machine()) as agent:
            assert agent.run("note milk", run_id="agent").answer
    assert done == ["milk"]


def test_a_program_that_was_killed_in_mid_call_has_made_it_once(machine, address, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = f"""
import os, signal
from linnet.agent.shared_runs import SharedRuns
from linnet.messages import ToolCall
run = SharedRuns({address!r}).run("killed", "note a")
with run.alone():
    run.enter(ToolCall("note", {{"what": "a"}}, "call-1", "rule"))
    open({str(ran)!r}, "a").write("once")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL and ran.read_text() == "once"
    told = machine().run("killed", "note a").known(CALL)
    assert told is not None and told.error is not None and told.error["code"] == "tool_interrupted"
