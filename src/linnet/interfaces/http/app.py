"""The application: every path, every error in its protocol's shape, and the guard before all of them."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from linnet import __version__
from linnet.errors import LinnetError, NotThere
from linnet.interfaces.http import (
    anthropic,
    embedding,
    health,
    llama_server,
    openai,
    page,
    responses,
    runs,
    spelling,
)
from linnet.interfaces.http.agent_run import MakeAgent
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.guard import Door, Guard, refusal
from linnet.interfaces.http.metrics import Measured
from linnet.interfaces.http.service import Service

_NONE: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI would send what happens here to wherever its environment variables say."""


def application(service: Service, door: Door, agent: MakeAgent | None = None) -> FastAPI:
    """The ASGI application; with `agent` it has agents of its own, and the page that talks with them."""
    app = FastAPI(
        title="Linnet",
        version=__version__,
        docs_url=None,  # pages that fetch their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NONE,
        exception_handlers={LinnetError: _failed, HTTPException: _absent},
    )
    for room in (openai, embedding, anthropic, responses, llama_server, spelling, health):
        app.include_router(room.router(service))
    shown = page.assets() if agent is not None else {}
    if agent is not None:
        app.include_router(runs.router(service, agent))
        app.include_router(page.router(shown))
    app.add_middleware(Guard, door=door, keyless=frozenset(shown))
    app.add_middleware(Measured, metrics=service.metrics)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    return refusal(as_ours(error), request.scope)


async def _absent(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = f"there is no {request.method} {request.url.path[:200]}"
    answer = refusal(NotThere(told), request.scope, error.status_code)
    answer.headers.update(error.headers or {})
    return answer
