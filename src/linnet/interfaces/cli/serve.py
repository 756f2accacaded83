"""`linnet serve`: the models and tools of this machine over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from linnet.errors import SettingsInvalid
from linnet.interfaces.cli import options, output

EXAMPLE = "Example: linnet serve --port 8177"

PORT = 8177

_SHOWN = "Type Ctrl-C to end."


def serve(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="Port; 0 takes any free one.")] = PORT,
    model: options.Model = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option("--api-key", metavar="KEY", help="A key that clients must send; others see it in `ps`."),
    ] = None,
    api_key_file: Annotated[
        list[Path] | None, typer.Option("--api-key-file", metavar="FILE", help="Keys, one a line.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", metavar="NAME", help="Another name of this server.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="URL", help="Origin of web pages that may ask this server."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", metavar="N", min=1, help="Requests that run together.")
    ] = None,
    root: options.Folder = None,
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
) -> None:
    """Serve the default model over HTTP: OpenAI's, Anthropic's and llama-server's protocols, and agents with --tools.

    Keys may also stand in LINNET_API_KEYS, parted by commas. Without one only this machine is served.
    """
    with output.reporting(as_json):
        from linnet.interfaces.http import auth
        from linnet.interfaces.http.guard import Door

        keys = auth.Keys(auth.collected(api_key or (), api_key_file or (), os.environ))
        door = Door(host, keys, frozenset(map(str.lower, allow_host or ())), frozenset(allow_origin or ()))
        if not 0 <= port <= 65_535:
            raise SettingsInvalid(f"there is no port {port}", hint="Ports are 0 to 65535.", place="--port")
        chosen = options.chosen(root, model, context, threads, encoding, require_sandbox, timeout, allow, deny)
        _serve(door, port, chosen, (tools or [], standard or []), at_once, as_json)


def _serve(
    door: Any,
    port: int,
    chosen: dict[str, Any],
    named: tuple[list[str], list[str]],
    at_once: int | None,
    as_json: bool,
) -> None:
    from linnet.app import open_served
    from linnet.interfaces.cli.tool_files import sorted_out
    from linnet.interfaces.http import serve as server
    from linnet.interfaces.http.app import application
    from linnet.interfaces.http.service import Service
    from linnet.limits import LIMITS

    settings = options.settings(**chosen)
    opened = open_served(settings, *sorted_out(*named), output.complain)
    with server.bound(door, port) as listening, opened as served:
        service = Service(
            served.models,
            seconds=settings.request_seconds,
            at_once=at_once or LIMITS.http_at_once,
            residents=served.residents,
        )
        url = f"http://{_shown(listening.getsockname()[0])}:{listening.getsockname()[1]}"

        def ready() -> None:
            if as_json:
                output.say_json({"url": url, "page": f"{url}/", "models": list(served.models), "pid": os.getpid()})
            else:
                output.complain(f"Listening on {url} with {', '.join(served.models)}. Its page: {url}/ . {_SHOWN}")

        server.serve(application(service, door, agent=served.agent), service, listening, ready)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
