"""Python source as micro-agents need it: which function a text defines, what of a completion fits its gap."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

from linnet.agent.checks import IsPython


@dataclass(frozen=True)
class Function:
    """The first function at the top of a text: `header` is its `def` line as Python writes it, without decorators."""

    name: str
    parameters: tuple[str, ...]
    header: str
    indent: str = "    "


def function_of(code: str) -> Function | None:
    """None for a text that is no Python in bounds, or defines no function at its top level."""
    if not IsPython("function")(code).ok:
        return None
    found = next((node for node in parsed(code).body if isinstance(node, ast.FunctionDef)), None)
    if found is None:
        return None
    arguments = found.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    returns = f" -> {ast.unparse(found.returns)}" if found.returns else ""
    return Function(found.name, tuple(names), f"def {found.name}({ast.unparse(arguments)}){returns}:")


def parsed(code: str) -> ast.Module:
    """The tree of a text that `IsPython` holds."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(code.strip("\n"))


def indents(prefix: str) -> tuple[str, ...]:
    """By how much the line that comes next may be indented, the likeliest first: as the line before, more behind a
    colon, else less and less. Only nothing where a line has begun already."""
    if not prefix.endswith("\n"):
        return ("",)
    last = next((line for line in reversed(prefix.splitlines()) if line.strip()), "")
    deepest = len(last) - len(last.lstrip()) + (4 if last.rstrip().endswith(":") else 0)
    return tuple(" " * depth for depth in range(deepest, -1, -4))


def fitting(prefix: str, text: str, suffix: str) -> str | None:
    """The longest beginning of `text`, by whole lines, with which the gap between prefix and suffix closes to Python
    that can be parsed; None if there is none. A line of its own ends in a new line."""
    lines = text.split("\n")
    for count in range(len(lines), 0, -1):
        kept = "\n".join(lines[:count]).rstrip()
        if kept and prefix.endswith("\n") and not suffix.startswith("\n"):
            kept += "\n"
        if kept and IsPython("statements")(prefix + kept + suffix).ok:
            return kept
    return None
