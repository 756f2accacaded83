"""Tools that the user names on the command line: those of Python files, and the standard ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from linnet import Tool
from linnet.tool_files import load_tools

__all__ = ["load_tools", "sorted_out", "split", "standard_tools"]


def standard_tools(names: Iterable[str] | None = None) -> tuple[Tool, ...]:
    """The standard tools of `["web_search,shell", ...]`, or all. Raises ToolInvalid for an unknown name."""
    from linnet.agent.tools import standard

    if names is None:
        return standard.tools()
    return standard.tools(part.strip() for name in names for part in name.split(",") if part.strip())


def sorted_out(named: Iterable[str], standard: Iterable[str]) -> tuple[tuple[Tool, ...], list[str]]:
    """The tools of the Python files that `--tools` names, and the names of tools and groups beside them, those of
    `--standard` too. What is neither a file nor looks like one is a name. Raises as `load_tools` does."""
    given = split(named)
    names = [str(path) for path in given if not (path.suffix or len(path.parts) > 1 or path.is_file())]
    files = load_tools(path for path in given if str(path) not in names)
    return files, [*names, *(str(path) for path in split(standard))]


def split(names: Iterable[str]) -> list[Path]:
    """`["a.py,b.py", "c.py"]` -> the three paths."""
    return [Path(part.strip()) for name in names for part in name.split(",") if part.strip()]
