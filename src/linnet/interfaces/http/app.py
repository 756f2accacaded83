"""The application: every path, every error in its protocol's shape, and the guard before all of them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from linnet import __version__
from linnet.errors import LinnetError, NotThere
from linnet.interfaces.http import anthropic, health, openai, responses
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.guard import Door, Guard, refusal
from linnet.interfaces.http.service import Service


def application(service: Service, door: Door, more: Sequence[APIRouter] = ()) -> FastAPI:
    """The ASGI application; `more` are paths beside those of the models."""
    app = FastAPI(
        title="Linnet",
        version=__version__,
        docs_url=None,  # pages that fetch their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={LinnetError: _failed, HTTPException: _absent, Exception: _unforeseen},
    )
    for paths in (*(room.router(service) for room in (openai, anthropic, responses, health)), *more):
        app.include_router(paths)
    app.add_middleware(Guard, door=door)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    return refusal(as_ours(error), request.scope)


async def _absent(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = f"there is no {request.method} {request.url.path[:200]}"
    answer = refusal(NotThere(told), request.scope, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _unforeseen(request: Request, error: Exception) -> Response:
    return refusal(as_ours(error), request.scope)
