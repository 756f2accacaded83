"""The standard tools: what is defined, what is run of it (nothing, by itself), and what a supplied function gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet import Agent, Permission, Tool
from linnet.agent.execute import execute
from linnet.agent.tools import search as module
from linnet.agent.tools import standard
from linnet.agent.tools.calculator import calculator
from linnet.errors import ToolArgumentsInvalid, ToolInvalid
from linnet.messages import ToolCall
from linnet.requests import Capabilities


class Silent:
    """A Model that nobody may ask."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("silent", 4_096)

    def stream(self, request: Any) -> Iterator[Any]:
        raise AssertionError("a rule needs no model")


def outcome(tool: Tool, *granted: Permission, approve: Any = None, **arguments: Any) -> tuple[Any, str]:
    done = execute(tool, ToolCall(tool.name, arguments), granted, approve)
    return done.value, done.error["code"] if done.error else ""


def test_what_touches_the_machine_has_a_permission_and_no_function() -> None:
    found = {tool.name: tool for tool in standard.tools()}
    assert tuple(found) == standard.NAMES
    assert found["calculator"] is calculator and not calculator.permissions
    for name in set(standard.NAMES) - {"calculator"}:
        assert found[name].function is None and len(found[name].permissions) == 1, name
    assert found["query_database"].permissions == {Permission.READ_DATABASE}
    assert found["shell"].permissions == {Permission.RUN}


@pytest.mark.parametrize("tool", standard.tools(), ids=lambda tool: tool.name)
def test_descriptions_are_short_and_every_argument_has_one(tool: Tool) -> None:
    assert len(tool.description.split()) <= 12
    for schema in tool.parameters["properties"].values():
        assert 0 < len(schema.get("description", "").split()) <= 14


def test_names_are_taken_in_order_and_once() -> None:
    assert [tool.name for tool in standard.tools(["shell", "web_search", "shell"])] == ["shell", "web_search"]
    assert [tool.name for tool in standard.tools("shell")] == ["shell"]
    with pytest.raises(ToolInvalid) as caught:
        standard.tools(["web_serch"])
    assert caught.value.hint == "Did you mean web_search?"


def test_arguments_are_checked() -> None:
    search = standard.tool("web_search")
    assert search.validate({"query": "ferries", "max_results": module.RESULTS_MOST})
    for wrong in (0, module.RESULTS_MOST + 1, "3"):
        with pytest.raises(ToolArgumentsInvalid, match="max_results"):
            search.validate({"query": "ferries", "max_results": wrong})
    with pytest.raises(ToolArgumentsInvalid, match="command"):
        standard.tool("shell").validate({"command": ""})
    assert standard.tool("write_file").validate({"path": "a.txt", "text": ""})


def test_denied_beats_all_and_nobody_is_asked_for_what_cannot_run() -> None:
    asked: list[str] = []
    shell = standard.tool("shell")

    def approve(tool: Tool, call: ToolCall) -> bool:
        asked.append(tool.name)
        return True

    done = execute(shell, ToolCall("shell", {"command": "id"}), (), approve)
    assert done.error is not None and done.error["code"] == "tool_denied" and asked == []
    assert "Nothing was run" in done.error["hint"] and "standard.tool('shell', run=" in done.error["hint"]
    assert outcome(standard.tool("shell", run=lambda command: command), approve=approve, command="id")[0] == "id"
    assert asked == ["shell"]
    assert outcome(standard.tool("shell", run=lambda command: command), command="id")[1] == "tool_denied"


def test_allowed_without_a_function_it_says_that_nothing_was_run() -> None:
    done = execute(standard.tool("delete_file"), ToolCall("delete_file", {"path": "a"}), {Permission.WRITE_FILES})
    assert done.error is not None and done.error["code"] == "tool_unbound"
    assert "nothing was run" in done.error["message"]
    assert "standard.tool('delete_file', run=my_function)" in done.error["hint"]


def test_a_supplied_function_gets_every_argument() -> None:
    def search(query: str, max_results: int) -> list[str]:
        return [query] * max_results

    tool = standard.tool("web_search", run=search)
    assert outcome(tool, Permission.NETWORK, query="x") == (["x"] * module.RESULTS_DEFAULT, "")
    assert outcome(tool, Permission.NETWORK, query="x", max_results=2) == (["x", "x"], "")
    assert standard.tool("web_search").function is None, "the definition stays as it was"
    assert standard.tool("list_files", run=lambda folder, pattern: [folder, pattern]).run({}) == [".", "*"]


def test_a_function_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(ToolInvalid) as caught:
        standard.tool("web_search", run=lambda query: query)
    assert caught.value.hint == "Write it as def my_function(query, max_results)."

    async def search(query: str, max_results: int) -> None: ...

    with pytest.raises(ToolInvalid, match="async"):
        standard.tool("web_search", run=search)
    assert standard.tool("shell", run=lambda **arguments: arguments).run({"command": "id"}) == {"command": "id"}


def test_with_a_root_reading_is_done(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("milk")
    read, write = standard.tools(["read_file", "write_file"], root=tmp_path)
    assert read.run({"path": "a.txt"})["text"] == "milk"
    assert write.run({"path": "b.txt", "text": "eggs"})["bytes"] == 4, "who calls it himself need not allow it"
    assert outcome(write, path="c.txt", text="x")[1] == "tool_denied"
    with pytest.raises(ToolInvalid):
        standard.tools(["read_file"], root=tmp_path / "away")


def test_an_agent_does_what_it_can_and_shows_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("milk")
    agent = Agent(standard.tools(), Silent(), root=tmp_path)  # type: ignore[arg-type]
    assert sorted(tool.name for tool in agent.tools) == sorted(standard.NAMES)
    assert "milk" in agent.run("read: a.txt").answer
    done = agent.run("delete: a.txt")
    assert [(call.call.name, call.call.arguments) for call in done.calls] == [("delete_file", {"path": "a.txt"})]
    assert done.error is not None and done.error["code"] == "tool_denied" and (tmp_path / "a.txt").exists()
    assert done.exit_code == 3


def test_a_tool_of_the_callers_own_is_never_replaced(tmp_path: Path) -> None:
    other = Tool.from_schema("read_file", "Reads a shelf.", {"properties": {"shelf": {"type": "string"}}})
    with pytest.raises(ToolInvalid, match="two tools are named"):
        Agent([other], Silent(), root=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("web: night trains", "web_search", {"query": "night trains"}),
        ("SQL: select 1", "query_database", {"sql": "select 1"}),
        ("shell: df -h", "shell", {"command": "df -h"}),
        ("delete: old.txt", "delete_file", {"path": "old.txt"}),
    ],
)
def test_prefixes_need_no_model(text: str, name: str, arguments: dict[str, Any]) -> None:
    matched = {tool.name: found for tool in standard.tools() if (found := tool.match(text)) is not None}
    assert matched == {name: arguments}


def test_answers_are_written_from_templates() -> None:
    search = standard.tool("web_search")
    answer = search.render_answer({"query": "x"}, [{"title": "T", "url": "u"}])
    assert answer == "Found on the web for x:\n- title: T, url: u"
    assert standard.tool("write_file").render_answer({"path": "a", "text": "b"}, None) == "Written to a."
