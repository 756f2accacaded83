"""`linnet mcp`: the tools of this machine, and the agent over them, for MCP hosts."""

from __future__ import annotations

from linnet.interfaces.cli import options, output

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
) -> None:
    """Serve tools to an MCP host over standard input and output, and `ask`, which answers a request with them.

    The host starts this command itself. Nobody is asked at a terminal: what a tool needs is given with --allow. With
    --json, an error at the start is one object.
    """
    with output.reporting(as_json):
        from linnet.app import open_agent
        from linnet.interfaces.cli.tool_files import sorted_out
        from linnet.interfaces.mcp.server import serve

        chosen = options.chosen(
            root, model, context, threads, encoding, require_sandbox, timeout, allow, deny, router
        )
        settings, (files, named) = options.settings(**chosen), sorted_out(tools or [], standard or [])
        with open_agent(settings, files, named, told=output.complain) as agent:
            serve(agent)
