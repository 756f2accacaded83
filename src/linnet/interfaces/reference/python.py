"""Names for programs, with signatures and docstrings: those of `linnet`, and those that the pages import."""

from __future__ import annotations

import ast
import enum
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import linnet
from linnet.interfaces.reference.markdown import code, page

_ADDRESS = re.compile(r"<[^<>]*(?:function|object|class|method|factory)|^<")
_LINE, _SHOWN = 100, 60
"""Characters of a signature on one line, and of a default."""
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python(pages: Iterable[str]) -> str:
    """The page of the Python API; `pages` are texts whose Python is looked through for names that are used."""
    about = "What `from linnet import ...` gives, and below it what the other pages import from further in."
    first = [_section(f"linnet.{name}", getattr(linnet, name)) for name in linnet.__all__ if name != "errors"]
    first.append("## errors\n\nThe tree of errors: [errors](errors.md).")
    further = [_section(name, value) for name, value in _imported(pages)]
    return page("The Python API", about, *first, "# Further in", *further)


def _imported(pages: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """`(full name, value)` of what the pages' code imports from modules of Linnet, sorted, each once."""
    names: set[tuple[str, str]] = set()
    for block in (block for text in pages for block in _BLOCK.findall(text)):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("linnet."):
                names |= {(str(node.module), alias.name) for alias in node.names}
    for module, name in sorted(names):
        value = getattr(import_module(module), name)
        if not inspect.ismodule(value) and name not in linnet.__all__ and module != "linnet.errors":
            yield f"{module}.{name}", value


def _section(name: str, value: Any) -> str:
    module, _, short = name.rpartition(".")
    where = "" if module == "linnet" else f"`from {module} import {short}`"
    parts = [f"## {short}", where, _signature(short, value), _doc(value)]
    if inspect.isclass(value):
        parts += [_member(key, one) for key, one in _members(value)]
    return "\n\n".join(filter(None, parts))


def _signature(name: str, value: Any) -> str:
    if inspect.isclass(value) and issubclass(value, enum.Enum):
        return ", ".join(code(one.value) for one in value)
    if name == "Settings":
        return "Keywords are the [settings](settings.md)."
    if not callable(value) or _is_alias(value):
        return ""
    try:
        return f"```text\n{_written(name, value)}\n```"
    except (TypeError, ValueError):
        return ""


def _is_alias(value: Any) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value))


def _written(name: str, value: Any) -> str:
    """`name(a: int = 1) -> str`, with one parameter a line where that is long. Raises as `inspect.signature` does."""
    told = inspect.signature(value)
    result = "" if inspect.isclass(value) else f" -> {_annotation(told.return_annotation)}"
    parameters = [one for one in told.parameters.values() if one.name not in ("self", "cls")]
    parts = list(_parameters(parameters))
    line = f"{name}({', '.join(parts)}){result}"
    return line if len(line) <= _LINE else "\n".join((f"{name}(", *(f"    {part}," for part in parts), f"){result}"))


def _parameters(given: Iterable[inspect.Parameter]) -> Iterator[str]:
    starred = slashed = False
    for one in given:
        if slashed and one.kind is not one.POSITIONAL_ONLY:
            yield "/"
        if one.kind is one.KEYWORD_ONLY and not starred:
            yield "*"
        slashed = one.kind is one.POSITIONAL_ONLY
        starred = starred or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        star = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        kind = "" if one.annotation is one.empty else f": {_annotation(one.annotation)}"
        yield f"{star}{one.name}{kind}{_default(one)}"


def _annotation(annotation: Any) -> str:
    return annotation.strip("'") if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(parameter: inspect.Parameter) -> str:
    """What can be written so; `...` for what is long, or has an address in memory for a name."""
    if parameter.default is parameter.empty:
        return ""
    text = repr(parameter.default)
    return f" = {text if len(text) <= _SHOWN and not _ADDRESS.search(text) else '...'}"


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class itself defines and says something of."""
    if issubclass(kind, enum.Enum):
        return
    for name, value in vars(kind).items():
        inner = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and (inspect.isroutine(inner) or isinstance(inner, property)) and inner.__doc__:
            yield name, inner


def _member(name: str, value: Any) -> str:
    told = "" if isinstance(value, property) else f"```text\n{_written(f'.{name}', value)}\n```"
    return "\n\n".join(filter(None, (f"### .{name}", told, _doc(value))))


def _doc(value: Any) -> str:
    """The docstring, where it is the value's own and not a dataclass's signature. Indented lines stay code."""
    own = value.__doc__ if inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, property) else None
    text = inspect.cleandoc(own or "")
    return "" if text.startswith(f"{getattr(value, '__name__', '')}(") else text
