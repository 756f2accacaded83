"""Expressions that try to take time, memory or the interpreter itself: each ends in time, in a number or an error.

python tests/torture/tools_calculator.py --tries 3000 --seed 1
"""

# ruff: noqa: E501  tables of cases read better wide

from __future__ import annotations

import argparse
import random
import sys
import time

from linnet.agent.tools.calculator import evaluate
from linnet.errors import ToolError
from linnet.limits import LIMITS

ABUSE = (
    "9**9**9**9", "2**99999999", "(-8)**0.5", "10**4095*10**4095", "factorial(99999999)", "factorial(factorial(20))", "1/0", "0**-1",
    "round(1.5, -10**9)", "round(1, 10**9)", "1e308*10", "1e999", "-" * 900 + "1", "(" * 400 + "1" + ")" * 400, "1+" * 499 + "1",
    "9" * 1_000, "1" * 1_001, "sqrt(" * 150 + "2" + ")" * 150, "max(" + "1," * 480 + "1)", "gcd(10**4000, 10**4001-1)",
    "__import__('os').system('id')", "().__class__", "open('/etc/passwd').read()", "[x for x in (1,)]", "lambda: 1", "f'{1}'", "'a'*10**9",
    "(1).__class__.__bases__", "1 if 1 else 1", "1;2", "1\n2", "a:=1", "exec('1')", "abs.__self__", "sqrt.__globals__", "\0", "١+١", "1_000", "0x10", "0b1",
    "1j", "True", "None", "...", "*", "", " ", "1//0", "1%0", "tan(pi/2)", "log(0)", "log(-1)", "exp(10**6)", "sin(10**4000)", "2**0.5**-9999",
    "((((2**64)**64)**64)**64)", "(10**4090)**2", "99**2000 % 7", "7 ** (7 ** (7 ** 7))", "min()", "max(1)", "sqrt(1,2,3)", "sqrt()", "e**e**e**e**e",
)  # fmt: skip


def abuse_case(tries: int = 3_000, seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds): the list, then mixtures made from the seed."""
    rng = random.Random(seed)
    pieces = [
        "9" * 40,
        "**",
        "(",
        ")",
        "factorial",
        "2",
        "-",
        "1e300",
        "*",
        "/",
        "%",
        "round",
        ",",
        "sqrt",
        "pi",
        "^",
        " ",
        "~",
        "_",
        "'",
        ".",
        "max",
    ]
    expressions = list(ABUSE)
    while len(expressions) < tries:
        expressions.append("".join(rng.choice(pieces) for _ in range(rng.randint(1, 60))))
    passed, worst = 0, 0.0
    for expression in expressions[:tries]:
        started = time.thread_time()  # of this thread: others may have the processor
        try:
            fault = "" if isinstance(evaluate(expression), int | float) else "no number"
        except ToolError:
            fault = ""
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        took = time.thread_time() - started
        worst = max(worst, took)
        fault = fault or (f"it took {took:.2f} s" if took > LIMITS.calculator_seconds else "")
        passed += not fault
        if fault:
            print(f"{expression[:80]!r}: {fault[:200]}")
    return min(tries, len(expressions)), passed, worst


CASES = {"calculator abuse": abuse_case}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tries", type=int, default=3_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    tries, passed, worst = abuse_case(given.tries, given.seed)
    print(f"calculator abuse: {passed} of {tries} held, worst {worst:.3f} s")
    return 0 if passed == tries else 1


if __name__ == "__main__":
    sys.exit(main())
