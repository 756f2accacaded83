"""`linnet mcp`: the tools of this machine, and the agent over them, for MCP hosts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.errors import SettingsInvalid
from linnet.interfaces.cli import doors, options, output

if TYPE_CHECKING:
    from linnet.agent.agent import Agent
    from linnet.interfaces.http.guard import Door

PORT = 8178

EXAMPLE = "Example: linnet mcp --root examples/files"


def mcp(
    root: options.Folder = None,
    model: options.Model = None,
    tools: options.ToolFiles = None,
    standard: options.Standard = None,
    allow: options.Allow = None,
    deny: options.Deny = None,
    as_json: options.Json = False,
    context: options.Context = None,
    threads: options.Threads = None,
    encoding: options.Encoding = None,
    require_sandbox: options.RequireSandbox = False,
    timeout: options.Timeout = None,
    router: options.RouterFile = None,
    http: Annotated[bool, typer.Option("--http", help="Listen for hosts, over HTTP.")] = False,
    host: doors.Host = doors.LOCAL,
    port: doors.Port = PORT,
    api_key: doors.ApiKey = None,
    api_key_file: doors.ApiKeyFile = None,
    allow_host: doors.AllowHost = None,
    allow_origin: doors.AllowOrigin = None,
) -> None:
    """Serve tools to an MCP host over standard input and output, and `ask`, which answers a request with them.

    The host starts this command itself; with --http it listens, and hosts are told its address. Nobody is asked at a
    terminal: what a tool needs is given with --allow. With --json, an error at the start is one object.
    """
    with output.reporting(as_json):
        from linnet.app import open_agent
        from linnet.interfaces.cli.tool_files import sorted_out
        from linnet.interfaces.mcp.server import serve

        named_door = [host != doors.LOCAL, port != PORT, api_key, api_key_file, allow_host, allow_origin]
        if any(named_door) and not http:
            hint = "Give --http, or leave these options out."
            raise SettingsInvalid("an address, keys and names are for --http", hint=hint, place="--http")
        door = doors.door(host, port, api_key, api_key_file, allow_host, allow_origin) if http else None
        chosen = options.chosen(
            root, model, context, threads, encoding, require_sandbox, timeout, allow, deny, router
        )
        settings, (files, named) = options.settings(**chosen), sorted_out(tools or [], standard or [])
        with open_agent(settings, files, named, told=output.complain) as agent:
            if door is None:
                serve(agent)
            else:
                _listen(agent, door, port, as_json)


def _listen(agent: Agent, door: Door, port: int, as_json: bool) -> None:
    from linnet.interfaces.http.serve import bound
    from linnet.interfaces.mcp import http

    with bound(door, port) as listening:
        url = doors.url(listening.getsockname()) + http.PATH

        def ready() -> None:
            if as_json:
                output.say_json({"url": url, "pid": os.getpid()})
            else:
                output.complain(f"Listening for MCP hosts on {url}. Type Ctrl-C to end.")

        http.serve(agent, door, listening, ready)
