"""`linnet mcp` by the official client: tools are listed, run with what permissions were given, and `ask` answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from linnet import Agent, tool
from linnet.errors import SettingsInvalid
from linnet.interfaces.mcp.server import server

mcp = pytest.importorskip("mcp")

TOOLS = '''
from linnet import tool

@tool(answer="{a} and {b} are {result}.")
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    print("noise on standard output")
    return a + b

@tool(permissions=["network"])
def send(text: str) -> str:
    """Sends a text."""
    return "sent"
'''


def session(folder: Path, use: Callable[[Any], Awaitable[Any]], *options: str) -> Any:
    from mcp.client.stdio import stdio_client

    (folder / "tools.py").write_text(TOOLS)
    words = ["-m", "linnet.interfaces.cli.main", "mcp", "--tools", str(folder / "tools.py"), *options]
    parameters = mcp.StdioServerParameters(command=sys.executable, args=words, cwd=folder)

    async def main() -> Any:
        async with mcp.Client(stdio_client(parameters), read_timeout_seconds=60) as client:
            return await use(client)

    return asyncio.run(main())


def test_a_host_lists_and_calls(tmp_path: Path) -> None:
    async def use(client: Any) -> Any:
        listed = {one.name: one for one in (await client.list_tools()).tools}
        added = await client.call_tool("add", {"a": 2, "b": 3})
        asked = await client.call_tool("ask", {"request": "What is 17 times 24?"})
        return listed, added, asked

    listed, added, asked = session(tmp_path, use)
    assert {"add", "send", "calculator", "ask"} <= set(listed)
    assert listed["add"].input_schema["required"] == ["a", "b"] and listed["add"].annotations.read_only_hint
    assert not listed["send"].annotations.read_only_hint
    assert not added.is_error and added.content[0].text == "5" and added.structured_content == {"result": 5}
    assert "408" in asked.content[0].text and asked.structured_content["how"] == "rule"


def test_what_is_wrong_is_a_result_that_says_so(tmp_path: Path) -> None:
    async def use(client: Any) -> Any:
        wrong = [("send", {"text": "x"}), ("add", {"a": "two"}), ("none", {}), ("ask", {"request": 3}), ("ask", {})]
        return [await client.call_tool(name, arguments) for name, arguments in wrong]

    codes = [(one.is_error, one.structured_content["error"]["code"]) for one in session(tmp_path, use)]
    wanted = ["tool_denied", "tool_arguments_invalid", "not_there", *["tool_arguments_invalid"] * 2]
    assert codes == [(True, code) for code in wanted]


def test_a_permission_that_was_given_lets_the_call_through(tmp_path: Path) -> None:
    async def use(client: Any) -> Any:
        return await client.call_tool("send", {"text": "x"})

    assert session(tmp_path, use, "--allow", "network").content[0].text == "sent"


def test_no_tool_may_have_the_name_of_the_agent() -> None:
    @tool
    def ask(request: str) -> str:
        """Asks."""
        return request

    with Agent([ask]) as agent, pytest.raises(SettingsInvalid, match="'ask'"):
        server(agent)
