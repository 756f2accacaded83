"""An agent as an MCP server over standard input and output: its tools, and `ask`, which is the agent itself.

Hides the SDK. A tool runs with the permissions that were given when the server was started, and with no others:
nobody sits at its terminal. What would be asked for there is denied, and the host is told what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any, TextIO

from linnet.agent.agent import Agent
from linnet.agent.execute import execute
from linnet.agent.result import Result
from linnet.errors import LinnetError, NotThere, SettingsInvalid, ToolArgumentsInvalid
from linnet.messages import ToolCall, ToolResult
from linnet.tools import Permission, Tool, spoken

if TYPE_CHECKING:
    from mcp.server import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams
    from mcp.types import Tool as Offered

ASK = "ask"
_ASK = "Answers one request in plain words with the tools of this server, on a small model of this machine."
_ASK_SCHEMA = {"type": "object", "properties": {"request": {"type": "string"}}, "required": ["request"]}
_READING = frozenset({Permission.READ_FILES})


def serve(agent: Agent) -> None:
    """Answer the host at the other end of standard input and output until it hangs up. Raises SettingsInvalid
    without the SDK, and for a tool that is called as the agent itself is."""
    asyncio.run(_serve(server(agent)))


def server(agent: Agent) -> Server[Any]:
    """The SDK's server over this agent, for a transport of one's own. Raises as `serve` does."""
    try:
        from mcp.server.lowlevel import Server
    except ImportError as error:
        raise SettingsInvalid("the MCP SDK is not installed", hint="Run `pip install 'linnet[mcp]'`.") from error
    face = _Face(agent)
    return Server("linnet", version=version("linnet"), on_list_tools=face.listed, on_call_tool=face.called)


async def _serve(running: Server[Any]) -> None:
    import anyio
    from mcp.server.stdio import stdio_server

    with _own_output() as told:
        async with stdio_server(stdout=anyio.wrap_file(told)) as (incoming, outgoing):
            await running.run(incoming, outgoing, running.create_initialization_options())


@contextlib.contextmanager
def _own_output() -> Iterator[TextIO]:
    """Standard output, which nobody else writes to meanwhile: what a tool prints goes to standard error."""
    sys.stdout.flush()
    told = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(told, "w", encoding="utf-8", closefd=False) as stream:
            yield stream
    finally:
        os.dup2(told, 1)
        os.close(told)


class _Face:
    """The two things that a host asks for."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._tools = {tool.name: tool for tool in agent.tools if tool.function is not None}
        self._ids = count(1)
        if ASK in self._tools:
            hint = "Give the tool another name."
            raise SettingsInvalid(f"a tool is called {ASK!r}, as the agent itself is", hint=hint, place="tools")

    async def listed(self, context: ServerRequestContext, params: PaginatedRequestParams | None) -> ListToolsResult:
        from mcp.types import ListToolsResult
        from mcp.types import Tool as Offered

        own = Offered(name=ASK, description=_ASK, input_schema=_ASK_SCHEMA)
        return ListToolsResult(tools=[*map(_offered, self._tools.values()), own])

    async def called(self, context: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
        """What went wrong is a result that says so: the model of the host is to read it."""
        arguments = params.arguments or {}
        try:
            if params.name == ASK:
                return _answered(await self._agent.arun(_request(arguments)))
            if params.name not in self._tools:
                raise NotThere(f"there is no tool {params.name!r}", hint="List the tools.", name=params.name)
            return _done(await asyncio.to_thread(self._call, self._tools[params.name], arguments))
        except LinnetError as error:
            return _failed(error.describe())

    def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> ToolResult:
        call = ToolCall(tool.name, dict(arguments), f"call-{next(self._ids)}", "host")
        return execute(tool, call, self._agent.permit)


def _request(arguments: Mapping[str, Any]) -> str:
    request = arguments.get("request")
    if not isinstance(request, str):
        raise ToolArgumentsInvalid(f"{ASK}: request is to be a text", tool=ASK)
    return request


# --- in the SDK's types --------------------------------------------------------------------------


def _offered(tool: Tool) -> Offered:
    from mcp.types import Tool as Offered
    from mcp.types import ToolAnnotations

    hints = ToolAnnotations(read_only_hint=tool.permissions <= _READING)
    return Offered(name=tool.name, description=tool.description, input_schema=tool.parameters, annotations=hints)


def _done(result: ToolResult) -> CallToolResult:
    return _failed(result.error) if result.error is not None else _told(spoken(result.value), result.value)


def _answered(result: Result) -> CallToolResult:
    told = result.describe()
    return _told(result.answer, {name: told[name] for name in ("answer", "how", "calls", "degraded", "dropped")})


def _failed(error: Mapping[str, Any]) -> CallToolResult:
    return _told(f"{error['message']} {error['hint']}", {"error": dict(error)}, failed=True)


def _told(text: str, value: Any, *, failed: bool = False) -> CallToolResult:
    from mcp.types import CallToolResult, TextContent

    structured = value if isinstance(value, dict) else {"result": value}
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=json.loads(json.dumps(structured)),
        is_error=failed,
    )
