"""Toolbox: the tools that the settings turn on, made when they are wanted, and what they hold open until the end.

Hides which table makes which tool. Nothing is connected to before it is needed: of a database its tables are asked
for once, and a server of tools has to be asked what it offers; what cannot be had is told in `notes`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from linnet.agent.tools import standard
from linnet.agent.tools.own import places
from linnet.errors import SettingsInvalid, ToolError, ToolInvalid
from linnet.tool_settings import SEARCH_KEY, McpTable, SearchTable, ShellTable, ToolTables, WebTable
from linnet.tools import Tool

GROUPS: Mapping[str, tuple[str, ...]] = {
    "files": ("list_files", "read_file", "search_files", "write_file", "delete_file"),
    "web": ("web_fetch",),
    "search": ("web_search",),
    "database": ("query_database", "list_tables"),
    "shell": ("shell",),
    "mcp": (),
}
"""The names by which tools can be asked for, beside their own."""


class Toolbox:
    """`tables` say what is on; `named` are groups or standard tools that are wanted besides: those that need a table
    are then without a function. What `own_tools` are written in and `own_files` are not changed by any tool. Raises
    SettingsInvalid, and ToolInvalid for an unknown name."""

    def __init__(
        self,
        tables: ToolTables,
        root: Path | None = None,
        named: Iterable[str] = (),
        own_tools: Iterable[Tool] = (),
        own_files: Iterable[Path] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._held: list[Callable[[], None]] = []
        self.notes: list[str] = []
        self._own = (*places(own_tools, self._environ), *own_files)
        try:
            made = {tool.name: tool for tool in self._made(tables, root, set(named))}
        except BaseException:
            self.close()
            raise
        wanted = {name: standard.tool(name) for name in _names(named)}
        self.tools: tuple[Tool, ...] = tuple((wanted | made).values())

    def close(self) -> None:
        """Let go of everything. Closing again does nothing."""
        while self._held:
            self._held.pop()()

    def _made(self, tables: ToolTables, root: Path | None, named: set[str]) -> Iterable[Tool]:
        wanted = set(_names(named))
        writes = tables.files is not None and tables.files.write
        if root is not None and (writes or wanted & {"write_file", "delete_file"}):
            from linnet.agent.tools.writing import writing

            yield from (tool for tool in writing(root, self._own) if writes or tool.name in wanted)
        if tables.web or "web_fetch" in wanted:
            from linnet.agent.tools.web import web_fetch

            yield web_fetch((tables.web or WebTable()).hosts)
        if tables.search:
            yield _search(tables.search, self._environ.get(SEARCH_KEY, "").strip())
        if tables.database:
            yield from self._database(tables.database.url)
        if tables.shell or "shell" in wanted:
            yield _shell(tables.shell or ShellTable(), root, self._own)
        for name, table in tables.mcp.items():
            yield from self._server(name, table)

    def _database(self, url: str) -> Iterable[Tool]:
        from linnet.agent.tools.database import Database, database_tools

        database = Database(url)
        self._held.append(database.close)
        return database_tools(database)

    def _server(self, name: str, table: McpTable) -> Iterable[Tool]:
        from linnet.agent.tools.mcp import Connection, Server

        given: dict[str, Any] = {key: getattr(table, key) for key in McpTable.model_fields}
        connection = Connection(Server(name, **given))
        self._held.append(connection.close)
        try:
            tools = connection.tools()
        except ToolError as error:
            self.notes.append(f"the tools of {name!r} are left out: {error.message}")
            return ()
        self.notes += connection.notes
        return tools


def _search(table: SearchTable, key: str) -> Tool:
    from linnet.agent.tools.search import Provider, brave, searxng, web_search

    if table.provider == "brave":
        if not key:
            hint = f"Set {SEARCH_KEY} to the key that Brave gave you."
            raise SettingsInvalid("Brave's search needs a key", hint=hint, place=SEARCH_KEY)
        return web_search((brave(key, table.url) if table.url else brave(key)).search)
    url = table.url or ""
    if table.provider == "searxng":
        return web_search(searxng(url).search)
    headers = {table.key_header: key} if table.key_header else {}
    title, address, text = table.fields
    words = {"title": title, "url": address, "text": text, "headers": headers}
    return web_search(Provider(url, table.query, table.number, table.results, **words).search)  # type: ignore[arg-type]


def _shell(table: ShellTable, root: Path | None, own: Iterable[Path]) -> Tool:
    from linnet.agent.tools.shell import Shell, shell

    if table.writable and root is not None:
        mine = next((place for place in own if _overlap(place.resolve(), root.resolve())), None)
        if mine is not None:
            told = f"programs may not write in {str(root)!r}: it holds or is in what is Linnet's own, {str(mine)!r}"
            raise SettingsInvalid(told, hint="Choose a `root` beside it.", place="tools.shell.writable")
    roots = (root,) if root is not None else ()
    places = {"writable": roots} if table.writable else {"readable": roots}
    return shell(Shell(programs=table.programs, seconds=table.seconds, **places))


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _names(named: Iterable[str]) -> list[str]:
    """The standard tools that are meant; those of files that only read are there with a root."""
    found: list[str] = []
    for name in named:
        if name not in GROUPS and name not in standard.NAMES:
            near = difflib.get_close_matches(name, (*standard.NAMES, *GROUPS), 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join((*standard.NAMES, *GROUPS))}."
            raise ToolInvalid(f"there is no standard tool {name!r}", hint=hint)
        found += GROUPS.get(name, (name,))
    return list(dict.fromkeys(found))
