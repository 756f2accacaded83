"""Completion: by the model's tokens for gaps, or as a continuation; and held against the code around it."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.agent.code import fitting, function_of, indents
from linnet.agent.completer import WITHOUT, Completer
from linnet.errors import RequestError, WorkerCrashed
from linnet.limits import LIMITS
from linnet.requests import Infill, Pattern, Segment

PREFIX, SUFFIX = "def add(a, b):\n", "\nprint(add(1, 2))\n"
TOKENS = Infill("<pre>", "<suf>", "<mid>")


def test_with_tokens_the_model_sees_both_sides(saying: Any) -> None:
    model = saying("    return a + b", infill=TOKENS)
    done = Completer().run(model, prefix=PREFIX, suffix=SUFFIX)
    assert model.heard[0].prompt == (
        Segment("<pre>", True),
        Segment(PREFIX, False),
        Segment("<suf>", True),
        Segment(SUFFIX, False),
        Segment("<mid>", True),
    )
    assert (done.value, done.how, done.degraded) == ("    return a + b", "model", ("resumed",))


def test_without_tokens_it_continues_and_says_so(saying: Any) -> None:
    model = saying("return a + b\n")
    done = Completer().run(model, prefix=PREFIX, suffix=SUFFIX)
    assert done.value == "    return a + b"
    assert model.heard[0].prompt == (Segment(f"{PREFIX}    ", False),)
    assert isinstance(model.heard[0].constraint, Pattern)
    assert (done.how, done.degraded) == ("fallback:continuation", (WITHOUT, "resumed"))


def test_what_does_not_close_the_gap_is_asked_for_again(saying: Any) -> None:
    model = saying("    return (a", "    return a + b", infill=TOKENS)
    done = Completer().run(model, prefix=PREFIX, suffix=SUFFIX)
    assert done.value == "    return a + b" and [each.reason for each in done.tries] == ["not_python", ""]
    assert [request.sampling.temperature for request in model.heard] == [0.0, 0.7]


def test_code_says_the_indentation_one_way_after_the_other(saying: Any) -> None:
    before = "def add(a, b):\n    if a:\n        a = 1\n"
    model = saying("else:\n")
    done = Completer().run(model, prefix=before, suffix="        return b\n")
    assert done.value == "    else:\n" and [each.reason for each in done.tries] == ["not_python", ""]
    assert [request.sampling.temperature for request in model.heard] == [0.0, 0.0]
    assert indents(before) == (" " * 8, " " * 4, "") and indents("x = (") == ("",)
    assert indents("def f():\n\n") == (" " * 4, "")


def test_it_abstains(saying: Any) -> None:
    for said, reason in (("    return (a", "not_python"), ("  ", "empty")):
        done = Completer(tries=2).run(saying(said), prefix=PREFIX, suffix=SUFFIX)
        assert (done.value, done.how, done.reason, len(done.tries)) == (None, "abstained", reason, 2)
    done = Completer().run(saying(WorkerCrashed("it died")), prefix=PREFIX)
    assert done.reason == "worker_crashed"


def test_a_cut_is_told_and_tries_are_bounded(saying: Any) -> None:
    done = Completer().run(saying("    return a", finish="length"), prefix=PREFIX, suffix=SUFFIX)
    assert done.degraded[-1] == "code_completer: an answer was cut at 2 tokens"
    Completer(tries=LIMITS.step_tries)
    for number in (0, LIMITS.step_tries + 1):
        with pytest.raises(RequestError, match=f"{number} tries"):
            Completer(tries=number)


def test_other_languages_are_not_parsed(saying: Any) -> None:
    assert Completer(python=False).run(saying("fn main() {"), prefix="x").value == "fn main() {"


@pytest.mark.parametrize(
    ("text", "suffix", "kept"),
    [
        ("    return a", "\nprint(1)", "    return a"),
        ("    return a", "print(1)", "    return a\n"),
        ("    c = a\n    return c\n    if (", "\nprint(1)", "    c = a\n    return c"),
        ("    return (", "\nprint(1)", None),
        ("", "\nprint(1)", None),
    ],
)
def test_the_longest_beginning_that_fits(text: str, suffix: str, kept: str | None) -> None:
    assert fitting(PREFIX, text, suffix) == kept


def test_a_gap_within_a_line() -> None:
    assert fitting("x = max(", "1, 2", ")\n") == "1, 2"


def test_which_function_a_text_defines() -> None:
    code = "import os\n\n@cached\ndef add(a: int, /, b=2, *, c) -> int:\n    return a\n"
    found = function_of(code)
    assert found and (found.name, found.parameters) == ("add", ("a", "b", "c"))
    assert found.header == "def add(a: int, /, b=2, *, c) -> int:"
    assert function_of("x = 1") is None and function_of("def f(") is None
    assert function_of("class A:\n    def f(self): pass") is None


def test_the_real_model_completes(real: Any) -> None:
    done = Completer().run(real, prefix="def add(a, b):\n    return a +", suffix="\n\nprint(add(1, 2))\n")
    assert done.ok and done.how == "fallback:continuation" and WITHOUT in done.degraded
    compile(f"def add(a, b):\n    return a +{done.value}\n\nprint(add(1, 2))\n", "whole", "exec")
