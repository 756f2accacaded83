"""`linnet serve`: the models and tools of this machine over HTTP."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Any

import typer

from linnet.interfaces.cli import doors, options, output

EXAMPLE = "Example: linnet serve --port 8177"

PORT = 8177

_SHOWN = "Type Ctrl-C to end."


def serve(
    host: doors.Host = doors.LOCAL,
    port: doors.Port = PORT,
    model: options.Model = None,
    api_key: doors.ApiKey = None,
    api_key_file: doors.ApiKeyFile = None,
    allow_host: doors.AllowHost = None,
    allow_origin: doors.AllowOrigin = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", metavar="N", min=1, help="Requests that run together.")
    ] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Serve from replicas that Ray runs, here or on more machines.")
    ] = False,
    replicas: Annotated[
        str | None, typer.Option("--replicas", metavar="N|MIN:MAX", help="With --ray: replicas of each model.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", metavar="ADDRESS", help="With --ray: a cluster that runs already.")
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
        door = doors.door(host, port, api_key, api_key_file, allow_host, allow_origin)
        chosen = options.chosen(root, model, context, threads, encoding, require_sandbox, timeout, allow, deny)
        named = (tools or [], standard or [])
        if ray or replicas or ray_address:
            _serve_scaled(door, port, chosen, named, at_once, as_json, (ray, replicas, ray_address))
        else:
            _serve(door, port, chosen, named, at_once, as_json)


def _serve_scaled(
    door: Any,
    port: int,
    chosen: dict[str, Any],
    named: tuple[list[str], list[str]],
    at_once: int | None,
    as_json: bool,
    asked: tuple[bool, str | None, str | None],
) -> None:
    from linnet.errors import InputInvalid
    from linnet.interfaces.scale.cluster import check_installed

    if not asked[0]:
        raise InputInvalid("--replicas and --ray-address are for --ray", hint="Add --ray.")
    check_installed()
    from linnet.interfaces.scale.serve import Wanted, serve

    wanted = Wanted(door, port, *named, at_once=at_once, replicas=asked[1], address=asked[2])
    serve(wanted, lambda: options.settings(**chosen), partial(_listening, as_json), output.complain)


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
    from linnet.interfaces.exporting import export
    from linnet.interfaces.http import serve as server
    from linnet.interfaces.http.app import application
    from linnet.interfaces.http.service import Service
    from linnet.limits import LIMITS

    settings = options.settings(**chosen)
    export(settings)
    opened = open_served(settings, *sorted_out(*named), output.complain)
    with server.bound(door, port) as listening, opened as served:
        service = Service(
            served.models,
            seconds=settings.request_seconds,
            at_once=at_once or LIMITS.http_at_once,
            telemetry=served.telemetry,
            residents=served.residents,
            servers=served.servers,
        )
        ready = partial(_listening, as_json, doors.url(listening.getsockname()), list(served.models))
        server.serve(application(service, door, agent=served.agent), service, listening, ready)


def _listening(as_json: bool, url: str, models: list[str]) -> None:
    """Tell where the server is, once it can be asked."""
    if as_json:
        output.say_json({"url": url, "page": f"{url}/", "models": models, "pid": os.getpid()})
    else:
        output.complain(f"Listening on {url} with {', '.join(models)}. Its page: {url}/ . {_SHOWN}")
