"""Tools by settings: off until they are configured, made by their tables, closed at the end, and wrong ones said."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.tools import standard
from linnet.agent.tools.toolbox import GROUPS, Toolbox
from linnet.app import open_agent
from linnet.errors import SettingsInvalid, ToolInvalid
from linnet.settings import Settings, load
from linnet.tool_settings import ToolTables


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "linnet.toml"
    file.write_text(text)
    return load(file, {})


def made(tmp_path: Path, text: str = "", named: tuple[str, ...] = (), **environ: str) -> dict[str, Any]:
    given = settings(tmp_path, text)
    box = Toolbox(given.tool_tables, given.root, named, environ=environ)
    box.close()
    return {tool.name: tool for tool in box.tools}


ALL = """
root = "."
allow = ["web_fetch"]
deny = ["programs.run"]
[tools]
offer = ["web_fetch", "query_database"]
[tools.files]
write = true
[tools.web]
hosts = ["127.0.0.1:8080"]
[tools.search]
url = "http://127.0.0.1:8888"
[tools.database]
url = "sqlite:///staff.db"
[tools.shell]
programs = ["df"]
"""


def test_nothing_is_on_by_itself(tmp_path: Path) -> None:
    assert made(tmp_path) == {}
    assert made(tmp_path, 'root = "."') == {}


def test_every_table_turns_its_tools_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "staff.db") as connection:
        connection.execute("CREATE TABLE staff (name TEXT)")
    connection.close()
    tools = made(tmp_path, ALL)
    names = {"write_file", "delete_file", "web_fetch", "web_search", "query_database", "list_tables", "shell"}
    assert set(tools) == names and all(tool.function is not None for tool in tools.values())
    assert tools["query_database"].description.endswith("Tables: staff(name)"), (
        "a path is taken from the file's folder"
    )
    found = settings(tmp_path, ALL)
    assert (found.tools, found.allow, found.deny) == (
        ("web_fetch", "query_database"),
        ("web_fetch",),
        ("programs.run",),
    )
    agent = open_agent(found.model_copy(update={"model": "smollm2-135m"}))
    assert [tool.name for tool in agent.tools] == ["web_fetch", "query_database"]
    agent.close()


def test_names_without_tables(tmp_path: Path) -> None:
    tools = made(tmp_path, "", ("web", "search", "database", "shell"))
    assert {name: tool.function is not None for name, tool in tools.items()} == {
        "web_fetch": True, "web_search": False, "query_database": False, "list_tables": False, "shell": True,
    }  # fmt: skip
    tools = made(tmp_path, 'root = "."', ("write_file",))
    assert list(tools) == ["write_file"] and tools["write_file"].function is not None
    assert {name for group in GROUPS.values() for name in group} <= set(standard.NAMES)


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(ToolInvalid) as caught:
        made(tmp_path, "", ("serch",))
    assert caught.value.hint == "Did you mean search?"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tools.webb]", "`tools.webb` is not a setting; did you mean `tools.web`?"),
        ('[tools.web]\nhost = "x"', "`tools.web.host` is not a setting; did you mean `tools.web.hosts`?"),
        ("[tools.web]\nhosts = 7", "`tools.web.hosts` is 7"),
        ("[tools.search]\nprovider = 'nobody'", "`tools.search.provider` is 'nobody'"),
        ("[tools.search]", "should have a `url`"),
        ("[tools.database]", "`tools.database.url`"),
        ("[tools.mcp.a]", "should have a `command` or a `url`"),
        ("[tools.mcp.a]\ncommand = ['x']\nonl = ['y']", "`tools.mcp.a.onl` is not a setting"),
        ("[tools.shell]\nseconds = 0", "`tools.shell.seconds` is 0"),
    ],
)
def test_wrong_tables_are_said_where_they_are(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings(tmp_path, text)
    assert told in caught.value.message


def test_a_list_of_tools_is_as_it_was(tmp_path: Path) -> None:
    assert settings(tmp_path, 'tools = ["calculator"]').tools == ("calculator",)
    assert settings(tmp_path, "").tool_tables == ToolTables()


def test_the_key_of_a_search_service_is_in_no_setting(tmp_path: Path) -> None:
    table = '[tools.search]\nprovider = "brave"'
    with pytest.raises(SettingsInvalid) as caught:
        made(tmp_path, table)
    assert "LINNET_SEARCH_KEY" in caught.value.hint
    assert made(tmp_path, table, LINNET_SEARCH_KEY="k")["web_search"].function is not None
    own = '[tools.search]\nprovider = "custom"\nurl = "http://x"\nresults = ["a", "b"]\nkey_header = "X-Key"'
    assert made(tmp_path, own, LINNET_SEARCH_KEY="k")["web_search"].function is not None
    assert load(None, {"LINNET_SEARCH_KEY": "k", "HOME": str(tmp_path)}) == Settings()


def test_a_server_that_does_not_start_is_left_out_and_said(tmp_path: Path) -> None:
    given = settings(tmp_path, f"[tools.mcp.odd]\ncommand = ['{sys.executable}', '-c', 'pass']\nseconds = 20")
    box = Toolbox(given.tool_tables)
    box.close()
    assert box.tools == () and box.notes[0].startswith("the tools of 'odd' are left out: the server 'odd'")


def test_programs_do_not_write_where_linnets_own_places_are(tmp_path: Path) -> None:
    text = 'root = "."\n[tools.shell]\nwritable = true'
    given = settings(tmp_path, text)
    with pytest.raises(SettingsInvalid, match="Linnet's own"):
        Toolbox(given.tool_tables, given.root, environ={"LINNET_SETTINGS": str(tmp_path / "linnet.toml")})
    (tmp_path / "inner").mkdir()
    Toolbox(given.tool_tables, tmp_path / "inner", environ={"HOME": "/nowhere"}).close()


def test_programs_do_not_write_inside_one_of_linnets_own_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    given = settings(tmp_path, "[tools.shell]\nwritable = true")
    for inner in (tmp_path / "models", tmp_path / "models" / "mine"):
        inner.mkdir()
        with pytest.raises(SettingsInvalid, match="is in what is Linnet's own"):
            Toolbox(given.tool_tables, inner, environ={"HOME": "/nowhere"})
    (tmp_path / "models2").mkdir()
    Toolbox(given.tool_tables, tmp_path / "models2", environ={"HOME": "/nowhere"}).close()
