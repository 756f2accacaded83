"""The MCP server over HTTP (the SDK's streamable HTTP), behind the same door as `linnet serve`.

Hides that there are no sessions: what is offered never changes and nothing is told unasked, so each request is whole
by itself, no client holds anything here between two of them, and none can take up another's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from linnet.agent.agent import Agent
from linnet.errors import NotThere
from linnet.interfaces.http.guard import Door, Guard, refusal
from linnet.interfaces.http.serve import Server
from linnet.interfaces.mcp.server import server
from linnet.limits import LIMITS

PATH = "/mcp"


class Endpoint:
    """The ASGI application of one agent. Raises SettingsInvalid as `server` does."""

    def __init__(self, agent: Agent, door: Door) -> None:
        made = server(agent)
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        # the door stands before it, and knows the names that the user has allowed
        unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self._manager: Any = StreamableHTTPSessionManager(
            made, stateless=True, security_settings=unguarded, max_request_body_size=LIMITS.http_body_bytes
        )
        self.app: ASGIApp = Guard(self._route, door)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == PATH and scope["method"] != "GET":
            await self._manager.handle_request(scope, receive, send)
            return
        told = f"there is no {scope['method']} {Request(scope).url.path[:200]}"
        hint = f"MCP clients send their requests to {PATH}."
        there = scope["path"] == PATH
        answer = refusal(NotThere(told, hint=hint), scope, 405 if there else None)
        if there:
            answer.headers["allow"] = "POST, DELETE"
        await answer(scope, receive, send)

    # --- as a server ends it ---------------------------------------------------------------------

    def close(self) -> None:
        """Nobody waits in a line here."""

    def cancel(self) -> None:
        """What runs is cancelled with the task group that it runs in."""

    async def serve(self, listening: socket.socket, ready: Callable[[], None]) -> None:
        """Until a signal says otherwise."""
        async with self._manager.run():
            await Server(self.app, self, ready).serve(sockets=[listening])


def serve(agent: Agent, door: Door, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Answer hosts on an open socket until a signal says otherwise. Raises as the other `serve` does."""
    asyncio.run(Endpoint(agent, door).serve(listening, ready))
