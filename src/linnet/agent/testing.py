"""Tests that a model wrote for a function: which forms they may have, and which of them hold when they are run.

A test is one assertion that a call gives a literal. Nothing comes back that was not run: each is compiled, then
executed behind the function in a locked-down child, and kept if it holds. What fails is told with its reason: the
test may be wrong, and so may the function.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from linnet.agent.checks import IsPython
from linnet.agent.code import function_of, parsed
from linnet.errors import RequestError, SandboxUnavailable, ToolFailed
from linnet.limits import LIMITS
from linnet.requests import Constraint, Pattern

_LINES = 4
"""Tests that are asked for in one answer."""


@dataclass(frozen=True)
class Suite:
    """`source` are the tests that are kept, as one test function. `dropped` are `(test, reason)`.

    With `ran` false no sandbox could be had: the tests were compiled and nothing more, and `source` has all of them.
    """

    source: str
    kept: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    ran: bool = True

    def __str__(self) -> str:
        return self.source


def written(code: str) -> Constraint:
    """Some lines, each an assertion on a call of the first function of the code. Raises RequestError without one."""
    name = re.escape(_function(code))
    return Pattern(rf"(assert {name}\([^\n#]{{0,60}}\) == [^\n#]{{1,60}}\n){{1,{_LINES}}}")


def trustworthy(said: str, code: str) -> Suite:
    """The assertions in what a model said that hold for the code. Raises ToolFailed where none does."""
    from linnet.runtime.trial import run

    name = _function(code)
    lines = list(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))
    reasons = {line: _fault(line, name) for line in lines}
    sound = [line for line in lines if not reasons[line]][: LIMITS.python_pieces - 1]
    if not sound:
        raise _none(reasons)
    try:
        ran = run((code, *sound))
    except SandboxUnavailable:
        return Suite(_source(name, sound), tuple(sound), _dropped(reasons), ran=False)
    if ran.errors[0]:
        raise ToolFailed(f"the code itself does not run: {ran.errors[0]}", hint="Mend it first.")
    reasons |= dict(zip(sound, ran.errors[1:], strict=True))
    kept = tuple(line for line in sound if not reasons[line])
    if not kept:
        raise _none(reasons)
    return Suite(_source(name, kept), kept, _dropped(reasons))


def _function(code: str) -> str:
    function = function_of(code)
    if function is None:
        raise RequestError("the code defines no function at its top level", hint="Give the function's whole source.")
    return function.name


def _fault(line: str, name: str) -> str:
    """Why a line is no test of the function; "" if it is one: `assert name(...) == literal`."""
    verdict = IsPython("statements")(line)
    if not verdict.ok:
        return verdict.detail
    match parsed(line).body:
        case [ast.Assert(ast.Compare(ast.Call(ast.Name(called)), [ast.Eq()], [expected]), None)] if called == name:
            return "" if _literal(expected) else "what it expects is no literal"
    return "it is no assertion that a call gives a value"


def _literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return False
    return True


def _source(name: str, tests: list[str] | tuple[str, ...]) -> str:
    return "\n".join([f"def test_{name}() -> None:", *(f"    {test}" for test in tests)])


def _dropped(reasons: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((line, reason) for line, reason in reasons.items() if reason)


def _none(reasons: dict[str, str]) -> ToolFailed:
    told = "; ".join(f"{line}: {reason}" for line, reason in reasons.items()) or "nothing was written"
    return ToolFailed(f"no test holds: {told[:600]}", hint="Ask again, or write one by hand.")
