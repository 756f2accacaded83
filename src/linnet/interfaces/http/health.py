"""Health, told truthfully (a token came lately, or comes now that one is asked for), and numbers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.errors import headers_of, openai_body
from linnet.interfaces.http.metrics import CONTENT_TYPE
from linnet.interfaces.http.service import Service

_OF_SERVERS = ("server", "state", "outstanding", "retry_after")
"""What is told of a fleet's servers to everybody who may ask; what they said of an error is not."""


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    @paths.get("/health", **documented(None, "Whether the default model answers"))
    async def health(request: Request) -> Response:
        error = await service.ailment()
        health = service.health().describe()
        line = {"running": service.line.running, "waiting": service.line.waiting, "state": health["state"]}
        if servers := service.servers():
            line["servers"] = [{name: one[name] for name in _OF_SERVERS} for one in servers]
        if error is None:
            return JSONResponse({"status": "ok", "seconds_since_token": health["silent"], **line})
        told: dict[str, Any] = {"status": "error", **openai_body(error), **line}
        return JSONResponse(told, 503, {"Retry-After": "5", **headers_of(error)})

    @paths.get("/metrics", **documented(None, "Numbers for Prometheus", media="text/plain"))
    async def metrics(request: Request) -> Response:
        return Response(await service.figures(), media_type=CONTENT_TYPE)

    return paths
