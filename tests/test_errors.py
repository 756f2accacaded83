"""The error tree: drawn as it is, complete, and the same on both sides of the pipe."""

from __future__ import annotations

import inspect
import json
import re
from typing import get_args

import pytest

from linnet import errors
from linnet.errors import Actor, LinnetError, code_of, from_code, tree

EVERY = tree()
DEFINED = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, LinnetError)]


def drawn() -> dict[str, str]:
    """Class -> parent, as the drawing at the head of the file shows them: a level is four columns wide."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ((?:\|   |    )*)(?:\|-- |`-- )?([A-Z]\w+)", line):
            branch = "-- " in line
            depth = len(found[1]) // 4 + branch
            path = [*path[:depth], found[2]]
            parents[found[2]] = path[depth - 1] if depth else ""
    return parents


def test_the_drawing_is_the_tree() -> None:
    real = {kind.__name__: kind.__base__.__name__ for kind in EVERY if kind.__base__}
    real["LinnetError"] = ""
    assert drawn() == real


def test_the_drawing_says_something_of_every_leaf() -> None:
    lines = (errors.__doc__ or "").splitlines()
    for kind in EVERY[1:]:
        line = next(line for line in lines if re.search(rf"-- {kind.__name__}\b", line))
        assert len(line.split(kind.__name__)[1].split()) >= 3, kind


def test_the_tree_has_every_class_once() -> None:
    assert sorted(kind.__name__ for kind in EVERY) == sorted(kind.__name__ for kind in DEFINED)


def test_codes_are_unique_and_stable() -> None:
    codes = [code_of(kind) for kind in EVERY]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
    assert code_of(errors.WorkerCrashed) == "worker_crashed"
    assert code_of(errors.OutOfMemory) == "out_of_memory"


@pytest.mark.parametrize("kind", EVERY, ids=code_of)
def test_each_class_says_who_must_act_and_what_to_do(kind: type[LinnetError]) -> None:
    assert kind.who in get_args(Actor)
    assert kind.exit_code in (errors.FAILED, errors.USAGE, errors.REFUSED, errors.RESOURCES)
    assert isinstance(kind.retryable, bool)
    assert kind.default_hint.endswith((".", "'")) and len(kind.default_hint.split()) >= 4


@pytest.mark.parametrize("kind", EVERY, ids=code_of)
def test_an_error_survives_the_pipe(kind: type[LinnetError]) -> None:
    error = kind("it is 7, not 8", hint="do so", size=7, parts=["a", None])
    told = json.loads(json.dumps(error.describe()))
    back = from_code(told["code"], told["message"], told["hint"], told["details"])
    assert type(back) is kind
    assert back.describe() == error.describe()
    assert str(back) == "it is 7, not 8"


@pytest.mark.parametrize("kind", EVERY, ids=code_of)
def test_without_a_hint_the_class_has_one(kind: type[LinnetError]) -> None:
    assert kind("x").hint == kind.default_hint
    assert from_code(code_of(kind), "x").hint == kind.default_hint


def test_an_unknown_code_breaks_the_protocol() -> None:
    error = from_code("no_such_code", "boo", "hint", {"a": 1})
    assert isinstance(error, errors.ProtocolBroken)
    assert "no_such_code" in error.message and "boo" in error.message


@pytest.mark.parametrize("name", ["message", "hint", "self", "cls", "kind", "details", "args"])
def test_details_may_have_any_name(name: str) -> None:
    """They come from the other process, which may be hostile."""
    error = from_code("tool_failed", "m", None, {name: 1})
    assert error.details == {name: 1} and error.message == "m"


def test_details_are_not_shared_between_errors() -> None:
    given = {"a": 1}
    first, second = (from_code("tool_failed", "m", None, given) for _ in range(2))
    first.details["a"] = 2
    assert (second.details, given) == ({"a": 1}, {"a": 1})
