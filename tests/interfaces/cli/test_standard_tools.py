"""The standard tools on the command line: listed, offered, shown, and not run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.agent.tools import standard
from linnet.interfaces.cli import tools
from linnet.interfaces.cli.commands import app


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})


def test_the_list_says_what_can_run(tmp_path: Path) -> None:
    told = json.loads(invoke("tools", "list", "--standard", "--json").stdout)["tools"]
    assert sorted(tool["name"] for tool in told) == sorted(standard.NAMES)
    states = {tool["name"]: tool["state"] for tool in told}
    assert states["calculator"] == "runs" and states["shell"] == states["web_fetch"] == "asks"
    off = {"read_file", "write_file", "delete_file", "list_files", "search_files", "web_search"}
    assert {name for name, state in states.items() if state == "off"} == {*off, "query_database", "list_tables"}
    given = ("--root", str(tmp_path), "--allow", "files.write,shell", "--deny", "delete_file", "--json")
    rooted = json.loads(invoke("tools", "list", "--standard", *given).stdout)["tools"]
    states = {tool["name"]: tool["state"] for tool in rooted}
    assert len(rooted) == len(told) and states["delete_file"] == "denied"
    assert {states[name] for name in ("write_file", "read_file", "list_files", "shell")} == {"runs"}
    lines = invoke("tools", "list", "--standard").stdout.splitlines()
    assert lines[0].split() == ["tool", "arguments", "what", "it", "does", "permissions", "state"]
    assert next(line for line in lines if line.startswith("web_search")).rstrip().endswith("off")


def test_a_call_is_shown_and_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = invoke("run", "--standard", "web_search,shell", f"shell: touch {made}")
    assert done.exit_code == 3 and not made.exists()
    assert "shell needs the permission programs.run" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == f'not run: shell(command="touch {made}")'
    assert lines[1] == "hint: If it may: --allow programs.run; in a program or the settings, `allow`."
    told = json.loads(invoke("run", "--standard", "shell", "shell: id", "--json").stdout)
    assert [(call["name"], call["arguments"]) for call in told["calls"]] == [("shell", {"command": "id"})]
    assert told["calls"][0]["error"]["code"] == "tool_denied"


def test_a_call_chosen_by_the_model() -> None:
    request = "Search the web for cheap violins, 3 results"
    told = json.loads(invoke("run", "--standard", "web_search,shell", request, "--json").stdout)
    (call,) = told["calls"]
    assert (told["how"], call["name"], call["arguments"]["max_results"]) == ("model", "web_search", 3)


def test_an_unknown_name() -> None:
    done = invoke("run", "--standard", "web_serch", "hello")
    assert done.exit_code == 2 and "Did you mean web_search?" in done.stderr


def test_a_check_asks_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests themselves are judged in test_tools_command.py, on other tools."""
    asked: list[str] = []
    monkeypatch.setattr(tools, "_tried", lambda own, *others: asked.extend(tool.name for tool in own) or [])
    monkeypatch.setattr("linnet.evals.toolcheck.report", lambda asked, tried: {"share": 1.0})
    assert invoke("tools", "check", "--standard", "--json").exit_code == 0
    assert asked == list(standard.NAMES)
