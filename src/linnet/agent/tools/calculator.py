"""The calculator: exact arithmetic, from an expression or from plain English, within a bounded time.

Hides simpleeval and what keeps it short of time and memory: only numbers, named constants and functions,
operators and brackets reach it; every whole number on the way has at most `LIMITS.calculator_digits` digits,
so a step takes microseconds, and `LIMITS.calculator_chars` bounds the steps. The limit `calculator_seconds`
is kept by that alone: the worst expression found, a sum of 124 numbers of 4,094 digits, took 5 ms.

Covered: attributes, strings, names, comparisons, comprehensions and keywords are refused before evaluation;
powers, factorials and rounding are measured before they are computed. Angles are in radians.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from linnet.agent.tools.arithmetic import CONSTANTS, FUNCTIONS, expression_of
from linnet.errors import ToolFailed
from linnet.limits import LIMITS
from linnet.tools import Rule, tool

__all__ = ["calculator", "evaluate", "expression_of"]

Number = int | float
_OTHER_SIGNS = str.maketrans({"^": "**", "×": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-"})
_LEXEME = re.compile(
    r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.])|(?P<name>[A-Za-z_]\w*)|[-+*/%(),]|\s+"
)
_REASONS = {
    ZeroDivisionError: "division by zero",
    OverflowError: "a number on the way is too large",
    ValueError: "a function has no result for its number, as the square root of a negative number",
    TypeError: "a function was given the wrong number or kind of arguments",
    RecursionError: "the expression nests too deeply",
}


def _request(text: str) -> dict[str, str] | None:
    expression = expression_of(text)
    return {"expression": expression} if expression else None


@tool(
    answer="{expression} = {result}",
    rules=[Rule(prefix="calc:", to="expression"), Rule(extract=_request)],
    examples=[
        "What is 15% of 2,340 plus the square root of 144?",
        "Calculate 12 times 7",
        "How much is 3.5 divided by 0.7?",
        "Add 19 and 23",
    ],
)
def calculator(expression: str) -> Number:
    """Calculates arithmetic: plus, minus, times, divided by, percent, powers and roots.

    Args:
        expression: the numbers and operators, such as 2 * (3 + 4) or sqrt(144)
    """
    return evaluate(expression)


def evaluate(expression: str) -> Number:
    """The value of an expression in Python's notation (`^` is a power too), or in words that `expression_of`
    knows. Whole results are int; rounding noise is removed. Raises ToolFailed with the reason in words."""
    if len(expression) > LIMITS.calculator_chars:
        raise _refused(f"it is {len(expression):,} characters long, over {LIMITS.calculator_chars:,}")
    tree = _tree(expression)
    try:
        return _tidy(_evaluator().eval("", previously_parsed=tree))
    except tuple(_REASONS) as error:
        reason = next(text for kind, text in _REASONS.items() if isinstance(error, kind))
        raise _refused(reason) from error


def _refused(reason: str) -> ToolFailed:
    hint = "Give numbers with + - * / % ** and brackets, or functions such as sqrt(2)."
    return ToolFailed(f"cannot calculate: {reason}", hint=hint, tool="calculator")


# --- reading -------------------------------------------------------------------------------------


def _tree(expression: str) -> ast.expr:
    try:
        return _formal(expression.translate(_OTHER_SIGNS))
    except ToolFailed:
        said = expression_of(expression)
        if said is None:
            raise
        return _formal(said)


def _formal(expression: str) -> ast.expr:
    """The tree, of allowed nodes only, not too deep."""
    _check_lexemes(expression)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _refused("it is not an expression that can be read") from error
    level, depth = [tree], 0
    while level:
        depth += 1
        level = [part for node in level for part in _parts(node)]
    if depth > LIMITS.calculator_depth:
        raise _refused(f"it nests {depth} levels deep, over {LIMITS.calculator_depth}")
    return tree


def _check_lexemes(expression: str) -> None:
    place = 0
    while place < len(expression):
        lexeme = _LEXEME.match(expression, place)
        if lexeme is None:
            raise _refused(f"{expression[place : place + 20]!r} is not a number, an operator or a bracket")
        if lexeme["name"] and lexeme["name"] not in FUNCTIONS | CONSTANTS:
            raise _refused(f"{lexeme['name'][:40]!r} is not a known function or constant")
        place = lexeme.end()


def _parts(node: ast.expr) -> list[ast.expr]:
    """The operands of an allowed node."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id in FUNCTIONS:
            return node.args
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        if not abs(node.value) < math.inf:
            raise _refused(_REASONS[OverflowError])
        return []
    elif isinstance(node, ast.Name) and node.id in CONSTANTS:
        return []
    raise _refused("it holds something besides numbers, operators, brackets and functions")


# --- evaluating ----------------------------------------------------------------------------------


@cache
def _evaluator() -> Any:
    from simpleeval import SimpleEval

    return SimpleEval(
        operators={kind: _bounded(function) for kind, function in _OPERATORS.items()},
        functions={name: _bounded(_function(name)) for name in FUNCTIONS},
        names={name: getattr(math, name) for name in CONSTANTS},
    )


def _function(name: str) -> Callable[..., Any]:
    own: dict[str, Callable[..., Any]] = {
        "factorial": _factorial,
        "round": _round,
        "abs": abs,
        "min": min,
        "max": max,
        "gcd": _gcd,
    }
    trigonometric = name in ("sin", "cos", "tan")
    return own.get(name) or (_without_noise(getattr(math, name)) if trigonometric else getattr(math, name))


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*arguments: Any) -> Number:
        value: Number | complex = function(*arguments)
        if isinstance(value, complex):
            raise ValueError
        if not abs(value) < (_most() if isinstance(value, int) else math.inf):
            raise OverflowError
        return value

    return checked


@cache
def _most() -> int:
    return int(10**LIMITS.calculator_digits)


def _power(base: Number, exponent: Number) -> Any:
    """Refuses a whole result over the limit from its least possible length, before it is computed."""
    if isinstance(base, int) and isinstance(exponent, int):
        least_bits = (abs(base).bit_length() - 1) * exponent
        if least_bits > _most().bit_length():
            raise OverflowError
    return base**exponent


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def _whole(value: Number) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise TypeError
    return int(value)


def _factorial(value: Number) -> int:
    number = _whole(value)
    if number > 0 and math.lgamma(number + 1) / math.log(10) > LIMITS.calculator_digits:
        raise OverflowError
    return math.factorial(number)


def _gcd(*values: Number) -> int:
    return math.gcd(*map(_whole, values))


def _round(value: Number, digits: Number = 0) -> Number:
    """`digits` as in Python, but bounded: -10**9 of them would take hours."""
    places = _whole(digits)
    if abs(places) > 400:
        raise OverflowError
    return round(value, places) if places else round(value)


def _without_noise(function: Callable[[float], float]) -> Callable[[float], float]:
    """sin(pi) is 0, not 1.2e-16."""
    return lambda angle: round(function(angle), 15)


def _tidy(value: Number) -> Number:
    """0.1 + 0.2 is 0.3: what differs from its 12 significant digits by noise only becomes them."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.12g}")
    tidy = short if abs(short - value) <= 1e-14 * abs(value) else float(f"{value:.15g}")
    return int(tidy) if tidy.is_integer() and abs(tidy) < 1e15 else tidy
