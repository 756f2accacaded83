"""The standard tools: files, web search, calculator, database, shell, as typed calls: `tools(["web_search"])`.

Most are definitions: a call of one is chosen, filled, checked and shown, and ends with ToolUnbound, because
nothing here writes, deletes, sends or runs. Whoever wants it done supplies the function, and allows the
permission. The descriptions are short and say one thing each: a small model reads every word of them.

Has its function here: `calculator`; with a root folder also `read_file`, `list_files` and `search_files`.
Not covered: what a supplied function does. A permission is a promise of the tool, and confines nothing.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from linnet.errors import ToolInvalid
from linnet.tools import Function, Permission, Rule, Tool

NAMES = (
    "read_file",
    "write_file",
    "delete_file",
    "list_files",
    "search_files",
    "web_search",
    "calculator",
    "query_database",
    "shell",
)

RESULTS_DEFAULT, RESULTS_MOST = 5, 20
"""Of a web search: what is asked for when the request names no number, and the most that may be asked for."""


def tools(names: Iterable[str] = NAMES, root: str | Path | None = None) -> tuple[Tool, ...]:
    """The standard tools of these names, each once and in their order; all by default.

    With a `root` folder those that read files can, below it. Raises ToolInvalid for an unknown name or folder.
    """
    known = _known() if root is None else _known() | _reading(root)
    return tuple(_named(name, known) for name in dict.fromkeys([names] if isinstance(names, str) else names))


def tool(name: str, run: Function | None = None) -> Tool:
    """One standard tool, done by `run`: it is called with every argument as a keyword, defaults filled in.

    What it returns is the result, as a JSON value. It still needs the tool's permission. Raises ToolInvalid
    for an unknown name, and for a function that cannot take the tool's arguments.
    """
    found = _named(name, _known())
    return found if run is None else _bound(found, run)


def _bound(definition: Tool, run: Function) -> Tool:
    known = definition.parameters["properties"]
    try:
        inspect.signature(run).bind(**dict.fromkeys(known))
    except TypeError as error:
        raise ToolInvalid(
            f"the function for {definition.name} cannot take {', '.join(known)}: {error}",
            hint=f"Write it as def my_function({', '.join(known)}).",
        ) from error
    except ValueError:
        pass  # a builtin that says nothing of its parameters
    defaults = {name: schema["default"] for name, schema in known.items() if "default" in schema}
    return replace(definition, function=partial(run, **defaults))


def _named(name: str, known: dict[str, Tool]) -> Tool:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    raise ToolInvalid(f"there is no standard tool {name!r}", hint=hint)


@cache
def _known() -> dict[str, Tool]:
    from linnet.agent.tools.calculator import calculator
    from linnet.agent.tools.files import definitions

    found = {tool.name: tool for tool in (*definitions(), calculator, *_definitions())}
    return {name: found[name] for name in NAMES}


def _reading(root: str | Path) -> dict[str, Tool]:
    from linnet.agent.tools.files import files

    return {tool.name: tool for tool in files(root)}


# --- the definitions -----------------------------------------------------------------------------


def _definitions() -> tuple[Tool, ...]:
    return (
        _define(
            "write_file",
            "Writes text into a file.",
            {"path": _text("the file, such as notes.txt or docs/plan.md"), "text": _text("the words to write", 0)},
            {"append": _flag("true to add at the end and keep what the file says")},
            Permission.WRITE_FILES,
            answer="Written to {path}.",
            examples=['Write "buy milk" into todo.txt', "Save the text hello world as greeting.md"],
        ),
        _define(
            "delete_file",
            "Deletes a file.",
            {"path": _text("the file, such as old.txt or tmp/cache.json")},
            {},
            Permission.WRITE_FILES,
            answer="{path} is deleted.",
            rules=[Rule(prefix="delete:", to="path")],
            examples=["Delete the file draft.txt", "Remove build/output.log"],
        ),
        _define(
            "web_search",
            "Searches the web.",
            {"query": _text("what to look for")},
            {"max_results": _count("how many results to show", RESULTS_DEFAULT, RESULTS_MOST)},
            Permission.NETWORK,
            answer="Found on the web for {query}:\n{result}",
            rules=[Rule(prefix="web:", to="query")],
            examples=["Search the web for solar panels", "Look up train strikes online, 3 results"],
        ),
        _define(
            "query_database",
            "Reads rows from the database with an SQL query.",
            {"sql": _text("one SELECT statement")},
            {},
            Permission.READ_DATABASE,
            answer="{result}",
            rules=[Rule(prefix="sql:", to="sql")],
            examples=["Run SELECT name FROM staff on the database", "Query the database: SELECT count(*) FROM jobs"],
        ),
        _define(
            "shell",
            "Runs a program on this computer with a shell command.",
            {"command": _text("the program and its arguments, such as df -h")},
            {},
            Permission.RUN,
            answer="{result}",
            rules=[Rule(prefix="shell:", to="command")],
            examples=["Run the command uname -a", "Execute git status in the terminal"],
        ),
    )


def _define(
    name: str,
    description: str,
    required: dict[str, Any],
    optional: dict[str, Any],
    permission: Permission,
    answer: str,
    rules: Iterable[Rule] = (),
    examples: Iterable[str] = (),
) -> Tool:
    return Tool.from_schema(
        name,
        description,
        {"properties": required | optional, "required": list(required)},
        permissions=frozenset({permission}),
        answer=answer,
        rules=tuple(rules),
        examples=tuple(examples),
    )


def _text(description: str, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "description": description, "minLength": least}


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description, "default": False}


def _count(description: str, default: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": 1, "maximum": most, "default": default}
