"""Options of the commands that listen: the address, and who may come in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.errors import SettingsInvalid

if TYPE_CHECKING:
    from linnet.interfaces.http.guard import Door

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", metavar="N", help="Port; 0 takes any free one.")]
ApiKey = Annotated[
    list[str] | None,
    typer.Option("--api-key", metavar="KEY", help="A key that clients must send; others see it in `ps`."),
]
ApiKeyFile = Annotated[list[Path] | None, typer.Option("--api-key-file", metavar="FILE", help="Keys, one a line.")]
AllowHost = Annotated[
    list[str] | None, typer.Option("--allow-host", metavar="NAME", help="Another name of this server.")
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="URL", help="Origin of web pages that may ask this server."),
]

LOCAL = "127.0.0.1"


def door(
    host: str, port: int, api_key: ApiKey, api_key_file: ApiKeyFile, hosts: AllowHost, origins: AllowOrigin
) -> Door:
    """Raises InputInvalid and SettingsInvalid for keys and a port that are none."""
    from linnet.interfaces.http import auth
    from linnet.interfaces.http.guard import Door

    keys = auth.Keys(auth.collected(api_key or (), api_key_file or (), os.environ))
    if not 0 <= port <= 65_535:
        raise SettingsInvalid(f"there is no port {port}", hint="Ports are 0 to 65535.", place="--port")
    return Door(host, keys, frozenset(map(str.lower, hosts or ())), frozenset(origins or ()))


def url(address: tuple[str, int]) -> str:
    """Of what listens at a socket's address."""
    host = address[0]
    return f"http://{f'[{host}]' if ':' in host else host}:{address[1]}"
