"""Result: one JSON form with fixed keys, and the exit code of a command that ends with it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from linnet.agent.result import Result
from linnet.errors import FAILED, REFUSED, LinnetError, ToolDenied, ToolFailed, ToolTimeout, tree
from linnet.messages import Step, ToolCall, ToolResult
from linnet.requests import Usage

KEYS = ["answer", "how", "calls", "steps", "usage", "seconds", "dropped", "degraded", "model", "encoding", "error"]
"""Those of `linnet run --json` in DESIGN.md, and `error`."""


def test_a_plain_result() -> None:
    assert Result("4", "rule").describe() == {
        "answer": "4",
        "how": "rule",
        "calls": [],
        "steps": [],
        "usage": {f"{kind}_tokens": 0 for kind in ("prompt", "cached", "generated", "forced", "guessed")},
        "seconds": 0.0,
        "dropped": [],
        "degraded": [],
        "model": "",
        "encoding": "",
        "error": None,
    }


def test_a_full_result_is_json_and_comes_back_the_same() -> None:
    error = ToolFailed("add: no", tool="add").describe()
    call = ToolCall("add", {"a": [1, None], "b": "\ud800"}, "call-1", "model", ("b: 1 became 2",))
    result = Result(
        "it did not work",
        "model",
        calls=(ToolResult(call, error=error, seconds=0.123456), ToolResult(call, {"x": 1.5})),
        steps=(Step("route", "no rule matches"), Step("tool", "add", 0.5, {"from": {"a": "model"}})),
        usage=Usage(4, 3, 2, 1),
        seconds=1.234567,
        dropped=("user: hello",),
        degraded=("resumed",),
        model="m",
        error=error,
    )
    told = result.describe()
    assert list(told) == KEYS
    assert json.loads(json.dumps(told)) == told
    assert told["calls"][0] == {
        "name": "add",
        "arguments": {"a": [1, None], "b": "\ud800"},
        "result": None,
        "error": error,
        "how": "model",
        "repairs": ["b: 1 became 2"],
        "seconds": 0.1235,
    }
    assert (told["calls"][1]["result"], told["calls"][1]["error"]) == ({"x": 1.5}, None)
    step = {"kind": "tool", "detail": "add", "seconds": 0.5, "data": {"from": {"a": "model"}}}
    assert told["steps"][1] == {**step, "start": 0.0, "usage": asdict(Usage())}
    assert (told["seconds"], told["dropped"], told["degraded"]) == (1.2346, ["user: hello"], ["resumed"])


@pytest.mark.parametrize(("kind", "code"), [(ToolFailed, FAILED), (ToolTimeout, FAILED), (ToolDenied, REFUSED)])
def test_the_exit_code_is_that_of_the_error(kind: type[LinnetError], code: int) -> None:
    assert Result("", "rule", error=kind("no").describe()).exit_code == code


def test_every_error_has_its_own_exit_code_and_none_is_0() -> None:
    for kind in tree():
        assert Result("", "rule", error=kind("no").describe()).exit_code == kind.exit_code > 0
    assert Result("", "abstained").exit_code == 0
