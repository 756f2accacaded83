"""The standard tools: files, web, search, calculator, database, shell, as typed calls: `tools(["web_search"])`.

By themselves most are definitions: a call of one is chosen, filled, checked and shown, and ends with ToolUnbound.
What does it is configured (toolbox.py) or supplied by the caller, and the permission allowed. The descriptions are
short and say one thing each: a small model reads every word of them.

Has its function here: `calculator`; with a root folder also those of files.
Not covered: what a supplied function does. A permission is a promise of the tool, and confines nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from linnet.agent.tools.define import bound
from linnet.errors import ToolInvalid
from linnet.tools import Function, Tool

NAMES = (
    "read_file",
    "write_file",
    "delete_file",
    "list_files",
    "search_files",
    "web_search",
    "web_fetch",
    "calculator",
    "query_database",
    "list_tables",
    "shell",
)


def tools(names: Iterable[str] = NAMES, root: str | Path | None = None) -> tuple[Tool, ...]:
    """The standard tools of these names, each once and in their order; all by default.

    With a `root` folder those that read and change files can, below it, if they are allowed. Raises ToolInvalid for
    an unknown name or folder.
    """
    known = _known() if root is None else _known() | _below(root)
    return tuple(_named(name, known) for name in dict.fromkeys([names] if isinstance(names, str) else names))


def tool(name: str, run: Function | None = None) -> Tool:
    """One standard tool, done by `run`: it is called with every argument as a keyword, defaults filled in.

    What it returns is the result, as a JSON value. It still needs the tool's permission. Raises ToolInvalid
    for an unknown name, and for a function that cannot take the tool's arguments.
    """
    found = _named(name, _known())
    return found if run is None else bound(found, run)


def _named(name: str, known: dict[str, Tool]) -> Tool:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    raise ToolInvalid(f"there is no standard tool {name!r}", hint=hint)


@cache
def _known() -> dict[str, Tool]:
    from linnet.agent.tools import database, files, search, shell, web, writing
    from linnet.agent.tools.calculator import calculator

    many = (*files.definitions(), *writing.definitions(), *database.definitions())
    found = {tool.name: tool for tool in (*many, calculator, *(m.definition() for m in (search, web, shell)))}
    return {name: found[name] for name in NAMES}


def _below(root: str | Path) -> dict[str, Tool]:
    from linnet.agent.tools.files import files
    from linnet.agent.tools.own import places
    from linnet.agent.tools.writing import writing

    return {tool.name: tool for tool in (*files(root), *writing(root, places()))}
