"""Running a call: permission, deadline and every way for a tool to go wrong, each told in the result."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from linnet.agent.execute import execute
from linnet.errors import EmptyRequest, ToolFailed
from linnet.limits import LIMITS
from linnet.messages import ToolCall, ToolResult
from linnet.tools import Permission, Tool, tool


@tool
def double(n: int) -> int:
    """Doubles a number."""
    return 2 * n


@tool(permissions=[Permission.NETWORK, Permission.WRITE_FILES])
def upload(name: str) -> str:
    """Uploads a file."""
    return f"uploaded {name}"


def failing(error: BaseException) -> Tool:
    @tool(name="failing")
    def fails() -> None:
        """Fails."""
        raise error

    return fails


def run(tool_: Tool, *granted: Permission, approve: Any = None, **arguments: Any) -> ToolResult:
    done = execute(tool_, ToolCall(tool_.name, arguments), granted, approve)
    json.dumps(done.error)
    return done


def test_a_tool_that_works() -> None:
    done = run(double, n=4)
    assert (done.value, done.error, done.ok, done.call) == (8, None, True, ToolCall("double", {"n": 4}))
    assert 0 < done.seconds < 60


def test_it_runs_in_a_thread_of_its_own_that_keeps_nobody_waiting() -> None:
    @tool
    def where() -> list[Any]:
        """Says in which thread it runs."""
        return [threading.current_thread().name, threading.current_thread().daemon]

    assert run(where).value == ["linnet-tool-where", True]


@pytest.mark.parametrize("arguments", [{}, {"n": "4"}, {"n": 4, "m": 5}], ids=["missing", "ill-typed", "unknown"])
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    done = run(double, **arguments)
    assert done.error is not None
    assert (done.error["code"], done.value, done.ok) == ("tool_arguments_invalid", None, False)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        SystemExit(3),
        KeyboardInterrupt("no"),
        GeneratorExit("no"),
        asyncio.CancelledError("no"),
        MemoryError(),
        RecursionError(),
        BaseExceptionGroup("no", [KeyboardInterrupt()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_tool_raises(error: BaseException) -> None:
    done = run(failing(error))
    assert done.error is not None
    kind = type(error).__name__
    assert (done.error["code"], done.error["details"]) == ("tool_failed", {"tool": "failing", "error": kind})
    assert done.error["message"].startswith(f"failing: {kind}: ")


def test_our_own_errors_pass_as_they_are() -> None:
    done = run(failing(ToolFailed("the disk is full", hint="Empty it.", free=0)))
    assert done.error == ToolFailed("the disk is full", hint="Empty it.", free=0).describe()
    other = run(failing(EmptyRequest("nothing")))
    assert other.error is not None
    assert other.error["code"] == "empty_request"


def test_a_result_without_a_json_form_and_one_too_large() -> None:
    @tool
    def returns(size: int) -> Any:
        """Returns an object, or a text of some size."""
        return "x" * size if size else object()

    assert len(run(returns, size=LIMITS.tool_output_bytes - 2).value) == LIMITS.tool_output_bytes - 2
    for size in (0, LIMITS.tool_output_bytes - 1):
        error = run(returns, size=size).error
        assert error is not None
        assert error["code"] == "tool_failed"


def test_a_tool_that_never_returns_is_left_behind() -> None:
    end = threading.Event()

    @tool(deadline=0.3)
    def stuck() -> None:
        """Waits without end."""
        end.wait(60)

    started = time.monotonic()
    done = run(stuck)
    assert 0.3 <= time.monotonic() - started < 30
    end.set()
    assert done.error is not None
    assert (done.error["code"], done.error["details"]) == ("tool_timeout", {"tool": "stuck", "seconds": 0.3})
    assert "stuck did not return within 0.3 s and was abandoned" in done.error["message"]
    assert done.seconds >= 0.3


@pytest.mark.parametrize("deadline", [1e12, float("inf")])
def test_a_deadline_beyond_what_a_clock_can_wait(deadline: float) -> None:
    @tool(deadline=deadline)
    def at_once() -> int:
        """Returns at once."""
        return 1

    assert run(at_once).value == 1


# --- permission ----------------------------------------------------------------------------------


def test_a_permission_that_was_not_given() -> None:
    done = run(upload, Permission.NETWORK, name="a")
    assert done.error is not None
    assert (done.error["code"], done.value) == ("tool_denied", None)
    assert done.error["message"] == "upload needs the permission files.write"
    assert done.error["details"] == {"tool": "upload", "missing": ["files.write"]}


def test_all_that_is_missing_is_named() -> None:
    done = run(upload, Permission.RUN, name="a")
    assert done.error is not None
    assert done.error["details"]["missing"] == ["files.write", "network"]


def test_a_permission_given_beforehand_is_not_asked_for() -> None:
    def never(tool: Tool, call: ToolCall) -> bool:
        raise AssertionError("asked")

    assert run(upload, Permission.NETWORK, Permission.WRITE_FILES, approve=never, name="a").value == "uploaded a"
    assert run(double, approve=never, n=1).value == 2


@pytest.mark.parametrize("answer", [True, False])
def test_who_is_asked_is_obeyed(answer: bool) -> None:
    asked = []

    def approve(tool: Tool, call: ToolCall) -> bool:
        asked.append((tool, call))
        return answer

    done = run(upload, approve=approve, name="a")
    assert asked == [(upload, ToolCall("upload", {"name": "a"}))]
    assert (done.value, done.ok) == ("uploaded a" if answer else None, answer)
    assert answer or (done.error is not None and done.error["code"] == "tool_denied")


def test_an_error_of_who_is_asked_is_the_callers_own() -> None:
    def approve(tool: Tool, call: ToolCall) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(upload, approve=approve, name="a")
